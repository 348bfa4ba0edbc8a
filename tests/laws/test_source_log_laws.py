"""Laws of tables whose topic is their log: they, and what follows them, say the same as with a changelog.

Stores are lost or kept at a restart anywhere in the input, with whatever commits came before.
"""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework import App, Stream
from tests.laws.test_table_laws import (
    END_MS,
    ONE_CHUNK,
    PROGRAMS,
    Change,
    Cut,
    Program,
    as_of_place,
    changes,
    cuts,
    drive,
    joined,
)


@dataclass(frozen=True)
class Reusing(Program):
    """Without changelogs for what its inputs hold as they are."""

    def app(self) -> tuple[App, Any, Any]:
        app, topics, out = super().app()
        app._reuse_source_topics = True
        return app, topics, out


NAMES = ["inner join", "left join of views", "join with itself", "join of joins", "filter", "map", "group and sum"]


def reusing(program: Program) -> Reusing:
    return Reusing(**{name: getattr(program, name) for name in program.__dataclass_fields__})


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(given=changes, cut=cuts)
def test_table_ends_with_what_its_topics_say(name: str, given: list[Change], cut: Cut) -> None:
    program = reusing(PROGRAMS[name])
    assert "L" in [store.changelog for sub in program.app()[0].plan().sub_topologies for store in sub.stores]
    expected = program.expected(given)
    assert drive(program, given, cut)[0] == expected
    assert drive(program, given, replace(cut, crash_after=len(given) // 2))[0] == expected


CHANGED_AFTER_THE_CRASH = [("L", "b", 0, 0), ("L", "b", 0, 0), ("L", "a", 1, 0), ("R", "a", 2, 0), ("L", "a", 3, 0)]


@settings(max_examples=40, deadline=None)
@example(given=CHANGED_AFTER_THE_CRASH, cut=replace(ONE_CHUNK, chunk=2), crash_after=4)
@given(given=changes, cut=cuts, crash_after=st.integers(0, 25))
def test_stream_sees_its_table_as_of_each_record(given: list[Change], cut: Cut, crash_after: int) -> None:
    program = reusing(Program(lambda s, t: s.left_join(t, value=joined), lambda _: {}, left=Stream))
    given = [*given, ("L", "a", 0, END_MS)]
    cut = replace(cut, partitions=1, crash_after=crash_after)
    assert drive(program, given, cut)[1] == list(as_of_place(given))
