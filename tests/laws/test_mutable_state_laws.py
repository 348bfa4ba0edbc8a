"""Laws of states that functions change in place: results are those of functions that make a new state each time.

The functions append to lists, take out of them, and refuse some values only after they have done so. The judge is the
same program with functions that change nothing, one record at a time.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framework import App, RecordError, Stream, Table, Windowed, hopping, session, sliding, tumbling
from framework.testing import TestDriver
from tests.laws.test_operator_laws import Interruptions, interruptions

REFUSED = 4
Given = tuple[str, int, int]  # key, number, time


@dataclass(frozen=True)
class Functions:
    """`add` takes a list of numbers in; `remove` takes it out; `merge` joins two states."""

    add: Callable[[list[int], list[int]], list[int]]
    remove: Callable[[list[int], list[int]], list[int]]
    merge: Callable[[list[int], list[int]], list[int]]


def add_in_place(state: list[int], value: list[int]) -> list[int]:
    state.extend(value)
    refuse(state)
    return state


def remove_in_place(state: list[int], value: list[int]) -> list[int]:
    for number in value:
        state.remove(number)
    return state


def refuse(state: list[int]) -> None:
    if state[-1] == REFUSED and len(state) > 1:
        raise ValueError("refused")


def add_anew(state: list[int], value: list[int]) -> list[int]:
    refuse([*state, *value])
    return [*state, *value]


def remove_anew(state: list[int], value: list[int]) -> list[int]:
    left = list(state)
    return remove_in_place(left, value)


IN_PLACE = Functions(add_in_place, remove_in_place, add_in_place)
ANEW = Functions(add_anew, remove_anew, add_anew)


def cogrouped(stream: Any, functions: Functions) -> Any:
    odd, even = stream.branch(lambda v: v[0] % 2, otherwise=True)
    first, second = odd.group_by_key(), even.group_by_key()
    return first.cogroup({first: functions.add, second: functions.add}, initial=list, type=list[int])


PROGRAMS: dict[str, tuple[Any, Callable[[Any, Functions], Any]]] = {
    "aggregate": (Stream, lambda s, f: s.group_by_key().aggregate(list, f.add, type=list[int])),
    "aggregate, each change": (
        Stream,
        lambda s, f: s.group_by_key().aggregate(list, f.add, type=list[int], changes="all"),
    ),
    "aggregate from a value": (Stream, lambda s, f: s.group_by_key().aggregate([], f.add, type=list[int])),
    "reduce": (Stream, lambda s, f: s.group_by_key().reduce(f.add)),
    "reduce, each change": (Stream, lambda s, f: s.group_by_key().reduce(f.add, changes="all")),
    "cogroup": (
        Stream,
        cogrouped,
    ),
    "tumbling": (Stream, lambda s, f: s.group_by_key().window(tumbling("5ms")).aggregate(list, f.add, type=list[int])),
    "hopping reduce": (
        Stream,
        lambda s, f: s.group_by_key().window(hopping("6ms", advance="2ms", grace="9ms")).reduce(f.add),
    ),
    "hopping aggregate": (
        Stream,
        lambda s, f: (
            s.group_by_key()
            .window(hopping("6ms", advance="2ms", grace="9ms"))
            .aggregate(list, f.add, type=list[int], changes="all")
        ),
    ),
    "sliding reduce": (Stream, lambda s, f: s.group_by_key().window(sliding("3ms", grace="9ms")).reduce(f.add)),
    "sliding aggregate": (
        Stream,
        lambda s, f: s.group_by_key().window(sliding("3ms", grace="9ms")).aggregate(list, f.add, type=list[int]),
    ),
    "session reduce": (Stream, lambda s, f: s.group_by_key().window(session("1ms", grace="9ms")).reduce(f.add)),
    "session aggregate": (
        Stream,
        lambda s, f: (
            s.group_by_key().window(session("1ms", grace="9ms")).aggregate(list, f.add, merge=f.merge, type=list[int])
        ),
    ),
    "group of a table": (
        Table,
        lambda t, f: t.group_by(lambda v: str(v[0] % 2)).aggregate(list, f.add, f.remove, type=list[int]),
    ),
    "reduced group of a table": (Table, lambda t, f: t.group_by(lambda v: str(v[0] % 2)).reduce(f.add, f.remove)),
}


WINDOWED = ("tumbling", "hopping", "sliding", "session")


def run(name: str, functions: Functions, rows: list[Given], cut: Interruptions | None) -> tuple[Any, list[str]]:
    """The result's table, and what another step, which comes later, sees of the same records."""
    kind, declare = PROGRAMS[name]
    app = App("law")
    numbers = app.topic("numbers", key=str, value=list[int])
    results = app.topic("results", key=Windowed[str] if name.startswith(WINDOWED) else str, value=list[int])
    seen = app.topic("seen", key=str, value=str)

    def program(given):
        found = declare(given, functions)
        return (found, given.map(str)) if kind is Stream else found

    program.__annotations__ = {"given": kind[str, list[int]]}
    app.topology(numbers, to=(results, seen) if kind is Stream else results)(program)
    options: Any = {}
    if cut is not None:
        options = {
            "chunk": cut.chunk, "seed": cut.seed, "cache_entries": cut.cache_entries,
            "max_uncommitted_keys": cut.max_uncommitted_keys,
        }  # fmt: skip
    with TestDriver(app, **options) as driver:
        for i, (key, number, time) in enumerate(rows):
            with suppress(RecordError):
                driver.send(numbers, [number], key=key, at=time)
            if cut is not None and i in cut.events:
                with suppress(RecordError):
                    driver.turn()
                if "crash" in cut.events[i]:
                    driver.restart(keep_state="kept" in cut.events[i])
        for _ in range(2 * len(rows) + 1):
            with suppress(RecordError):
                driver.records(results)
        texts = [record.value for record in driver.records(seen)] if kind is Stream else []
        return {str(key): value for key, value in driver.table(results).items()}, texts


ONE_CHUNK = Interruptions(chunk=10, seed=0, cache_entries=100, max_uncommitted_keys=100, events={})


TWICE_AT_ONCE = [("a", 0, 0), ("a", 0, 0)]


@pytest.mark.parametrize("name", PROGRAMS)
@example(rows=TWICE_AT_ONCE, cut=ONE_CHUNK)
@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.integers(0, 12)), max_size=16),
    cut=interruptions,
)
def test_state_changed_in_place_gives_what_a_new_state_each_time_gives(
    name: str, rows: list[Given], cut: Interruptions
) -> None:
    assert run(name, IN_PLACE, rows, cut) == run(name, ANEW, rows, None)
