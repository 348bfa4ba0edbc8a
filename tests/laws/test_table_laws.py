"""Laws of tables and their joins: how the inputs interleave and are cut, committed and interrupted changes nothing.

Each program has a model: what the tables say in the end, or each record of the result. Changes are drawn for a left and
a right topic, tombstones and times out of order among them.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framework import App, GlobalTable, RecordError, Stream, Table
from framework.testing import TestDriver

Change = tuple[str, str, int | None, int]  # topic (L or R), key, value, timestamp
Rows = dict[str, Any]
HISTORY_MS = 12
GRACE_MS = 6
END_MS = 1_000

changes = st.lists(
    st.tuples(
        st.sampled_from("LLR"), st.sampled_from("abc"), st.sampled_from([None, 0, 1, 2, 3, 4]), st.integers(0, 30)
    ),
    max_size=25,
)
keyed_alike = st.lists(
    st.tuples(
        st.sampled_from("LR"), st.sampled_from("0123"), st.sampled_from([None, 0, 1, 2, 3, 9]), st.integers(0, 30)
    ),
    max_size=25,
)


@dataclass(frozen=True)
class Program:
    """`declare` gets the left and the right input; `expected` says what the result's table holds in the end."""

    declare: Callable[[Any, Any], Any]
    expected: Callable[[list[Change]], Rows]
    left: Any = Table
    right: Any = Table
    history: bool = False
    value: Any = str
    is_repartitioned: bool = False

    def app(self) -> tuple[App, Any, Any]:
        app = App("law")
        left = app.topic("L", key=str, value=int)
        right = app.topic("R", key=str, value=int, history=f"{HISTORY_MS}ms" if self.history else None)
        out = app.topic("out", key=str, value=self.value)

        def run(left, right):
            return self.declare(left, right)

        run.__annotations__ = {"left": self.left[str, int], "right": self.right[str, int]}
        app.topology(left, right, to=out)(run)
        return app, {"L": left, "R": right}, out


def rows_of(given: list[Change], topic: str) -> Rows:
    rows: Rows = {}
    for name, key, value, _ in given:
        if name == topic:
            rows.pop(key, None)
            if value is not None:
                rows[key] = value
    return rows


def joined(left: Any, right: Any) -> str:
    return f"{left}&{right}"


def joined_tables(kind: str) -> Callable[[list[Change]], Rows]:
    def expected(given: list[Change]) -> Rows:
        lefts, rights = rows_of(given, "L"), rows_of(given, "R")
        keys = {"inner": lefts.keys() & rights.keys(), "left": set(lefts), "outer": lefts.keys() | rights.keys()}[kind]
        return {key: joined(lefts.get(key), rights.get(key)) for key in keys}

    return expected


def joined_views(given: list[Change]) -> Rows:
    lefts = {key: value * 10 for key, value in rows_of(given, "L").items() if value % 2}
    rights = {key: value for key, value in rows_of(given, "R").items() if value > 1}
    return {key: joined(value, rights.get(key)) for key, value in lefts.items()}


def joined_with_itself(given: list[Change]) -> Rows:
    return {key: joined(v, v if v % 2 else None) for key, v in rows_of(given, "L").items()}


def by_foreign_key(kind: str) -> Callable[[list[Change]], Rows]:
    def expected(given: list[Change]) -> Rows:
        rights = rows_of(given, "R")
        found = {key: (v, rights.get(str(v))) for key, v in rows_of(given, "L").items()}
        return {
            key: joined(v, right)
            for key, (v, right) in found.items()
            if kind == "left" or (right is not None and v != 9)
        }

    return expected


def foreign_key(value: int) -> str | None:
    return None if value == 9 else str(value)


def foreign_left(given: list[Change]) -> Rows:
    rights = rows_of(given, "R")
    return {key: joined(v, None if v == 9 else rights.get(str(v))) for key, v in rows_of(given, "L").items()}


def grouped(given: list[Change], fold: Callable[[list[int]], Any]) -> Rows:
    """By parity; a group that was there once stays, also empty."""
    seen = {str(v % 2) for topic, _, v, _ in given if topic == "L" and v is not None}
    final = list(rows_of(given, "L").values())
    return {group: fold([v for v in final if str(v % 2) == group]) for group in seen}


def insert(values: list[int], value: int) -> list[int]:
    values.append(value)
    values.sort()
    return values


def remove(values: list[int], value: int) -> list[int]:
    values.remove(value)
    return values


def newest(given: list[Change]) -> Rows:
    """What a versioned right table says in the end: the greatest time wins, what is too old is ignored."""
    versions: dict[str, tuple[int, Any]] = {}
    clock = -1
    for topic, key, value, at in given:
        if topic == "R" and at >= clock - HISTORY_MS:
            clock = max(clock, at)
            if at >= versions.get(key, (-1, None))[0]:
                versions[key] = at, value
    return {key: value for key, (_, value) in versions.items() if value is not None}


PROGRAMS = {
    "inner join": Program(lambda le, ri: le.join(ri, value=joined), joined_tables("inner")),
    "left join": Program(lambda le, ri: le.left_join(ri, value=joined), joined_tables("left")),
    "outer join": Program(lambda le, ri: le.outer_join(ri, value=joined), joined_tables("outer")),
    "outer join, each change": Program(
        lambda le, ri: le.outer_join(ri, value=joined, changes="all"), joined_tables("outer")
    ),
    "left join of views": Program(
        lambda le, ri: (
            le.filter(lambda v: v % 2).map(lambda v: v * 10).left_join(ri.filter(lambda v: v > 1), value=joined)
        ),
        joined_views,
    ),
    "join with itself": Program(
        lambda le, ri: le.left_join(le.filter(lambda v: v % 2), value=joined), joined_with_itself
    ),
    "join of joins": Program(
        lambda le, ri: le.join(ri, value=joined).left_join(le, value=joined),
        lambda given: {
            key: joined(both, rows_of(given, "L").get(key)) for key, both in joined_tables("inner")(given).items()
        },
    ),
    "filter": Program(
        lambda le, ri: le.filter(lambda v: v % 2),
        lambda given: {key: v for key, v in rows_of(given, "L").items() if v % 2},
        value=int,
    ),
    "map": Program(
        lambda le, ri: le.map(lambda v: v + 1).filter(lambda v: v > 2).map(str),
        lambda given: {key: str(v + 1) for key, v in rows_of(given, "L").items() if v > 1},
    ),
    "group and count": Program(
        lambda le, ri: le.group_by(lambda v: str(v % 2)).count(), lambda given: grouped(given, len),
        value=int, is_repartitioned=True,
    ),
    "group and sum": Program(
        lambda le, ri: le.filter(lambda v: v != 3).group_by(lambda v: str(v % 2), value=lambda v: v * 2).sum(type=int),
        lambda given: grouped([(t, k, None if v == 3 else v, at) for t, k, v, at in given], lambda vs: 2 * sum(vs)),
        value=int, is_repartitioned=True,
    ),
    "group and collect": Program(
        lambda le, ri: le.group_by(lambda v: str(v % 2)).aggregate(list, insert, remove, type=list[int]),
        lambda given: grouped(given, sorted), value=list[int], is_repartitioned=True,
    ),
    "join after grouping": Program(
        lambda le, ri: le.group_by(str).count().left_join(ri, value=joined),
        lambda given: {
            group: joined(
                [str(v) for v in rows_of(given, "L").values()].count(group), rows_of(given, "R").get(group)
            )
            for group in {str(v) for topic, _, v, _ in given if topic == "L" and v is not None}
        },
        is_repartitioned=True,
    ),
    "foreign key join": Program(
        lambda le, ri: le.join(ri, on=foreign_key, value=joined), by_foreign_key("inner"), is_repartitioned=True
    ),
    "foreign key left join": Program(
        lambda le, ri: le.left_join(ri, on=foreign_key, value=joined), foreign_left, is_repartitioned=True
    ),
    "foreign key join of views": Program(
        lambda le, ri: le.filter(lambda v: v != 2).join(ri.map(lambda v: v + 1), on=foreign_key, value=joined),
        lambda given: {
            key: joined(v, rows_of(given, "R")[str(v)] + 1)
            for key, v in rows_of(given, "L").items()
            if v not in (2, 9) and str(v) in rows_of(given, "R")
        },
        is_repartitioned=True,
    ),
    "versioned": Program(lambda le, ri: ri, newest, history=True, value=int),
    "join with a versioned table": Program(
        lambda le, ri: le.left_join(ri, value=joined),
        lambda given: {key: joined(v, newest(given).get(key)) for key, v in rows_of(given, "L").items()},
        history=True,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """How an input is cut: chunk size, dice for chunks and commits, limits, and after which change to crash."""

    chunk: int
    seed: int | None
    max_keys: int
    cache: int
    partitions: int
    crash_after: int

    def options(self) -> dict[str, Any]:
        return {
            "chunk": self.chunk, "seed": self.seed, "max_uncommitted_keys": self.max_keys, "cache_entries": self.cache,
            "partitions": self.partitions,
        }  # fmt: skip


cuts = st.builds(
    Cut,
    chunk=st.sampled_from([2, 5, 100]),
    seed=st.one_of(st.none(), st.integers(0, 9)),
    max_keys=st.sampled_from([1, 5, 1000]),
    cache=st.sampled_from([2, 1000]),
    partitions=st.sampled_from([1, 3]),
    crash_after=st.integers(0, 40),
)


def drive(program: Program, given: list[Change], cut: Cut | None) -> tuple[Rows, list[Any]]:
    """The result's table, and its records."""
    app, topics, out = program.app()
    with TestDriver(app, **(cut.options() if cut else {})) as driver:
        for i, (topic, key, value, at) in enumerate(given):
            if cut is not None and i == cut.crash_after:
                driver.turn()
                driver.restart(keep_state=bool(i % 2))
            driver.send(topics[topic], value, key=key, at=at)
        records = [(record.key, record.value, record.timestamp_ms) for record in driver.records(out)]
        return driver.table(out), records


@pytest.mark.parametrize("name", PROGRAMS)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), cut=cuts)
def test_table_ends_with_what_its_inputs_say(name: str, data: st.DataObject, cut: Cut) -> None:
    program = PROGRAMS[name]
    given = data.draw(keyed_alike if "foreign" in name or "after grouping" in name else changes)
    expected = program.expected(given)
    assert drive(program, given, None)[0] == expected
    # Reason: what is too old for a history is so by the clock of its partition.
    partitions = 1 if program.history else cut.partitions
    assert drive(program, given, replace(cut, partitions=partitions))[0] == expected


@settings(max_examples=40, deadline=None)
@given(given=changes, cut=cuts)
def test_outer_join_with_each_change_writes_the_same_records_however_cut(given: list[Change], cut: Cut) -> None:
    program = Program(
        lambda le, ri: le.to_table(changes="all").outer_join(ri.to_table(changes="all"), value=joined, changes="all"),
        lambda _: {}, left=Stream, right=Stream,
    )  # fmt: skip
    one_by_one, cut_up = drive(program, given, None)[1], drive(program, given, cut)[1]
    for key in "abc":
        assert [row for row in cut_up if row[0] == key] == [row for row in one_by_one if row[0] == key]


def refusing(left: Any, right: Any) -> str:
    if left == 3 or right == 2:
        raise ValueError(f"{left} and {right} do not go together")
    return joined(left, right)


def refuse_four(value: int) -> int:
    if value == 4:
        raise ValueError("no four")
    return value


REFUSING = {
    "join": Program(lambda le, ri: le.outer_join(ri, value=refusing), lambda _: {}),
    "join of views": Program(
        lambda le, ri: le.map(refuse_four).left_join(ri.filter(refuse_four), value=refusing), lambda _: {}
    ),
    "map": Program(lambda le, ri: le.map(refuse_four), lambda _: {}, value=int),
    "group": Program(
        lambda le, ri: le.group_by(lambda value: str(refuse_four(value))).count(), lambda _: {}, value=int
    ),
    "stream with table": Program(lambda le, ri: le.left_join(ri, value=refusing), lambda _: {}, left=Stream),
    "stream with versioned table": Program(
        lambda le, ri: le.left_join(ri, value=refusing), lambda _: {}, left=Stream, history=True
    ),
}


def drive_on(program: Program, given: list[Change], options: dict[str, Any]) -> Rows:
    """The result's table; records that fail are passed over."""
    app, topics, out = program.app()
    with TestDriver(app, **options) as driver:
        for topic, key, value, at in given:
            with suppress(RecordError):
                driver.send(topics[topic], value, key=key, at=at)
        for _ in range(len(given) + 1):
            try:
                return driver.table(out)
            except RecordError:
                continue
        raise AssertionError("a record failed again and again")


@pytest.mark.parametrize("name", REFUSING)
@settings(max_examples=30, deadline=None)
@given(given=changes, chunk=st.sampled_from([3, 100]), keys=st.sampled_from([1, 1000]))
def test_record_that_fails_leaves_nothing_behind_however_cut(
    name: str, given: list[Change], chunk: int, keys: int
) -> None:
    program = REFUSING[name]
    expected = drive_on(program, given, {})
    assert drive_on(program, given, {"chunk": chunk, "max_uncommitted_keys": keys}) == expected


# Streams with tables: every record of the result is known.


def as_of_place(given: list[Change]) -> Iterator[Any]:
    rows: Rows = {}
    for topic, key, value, at in given:
        if topic == "R":
            rows[key] = value
        elif value is not None:
            yield key, joined(value, rows.get(key)), at


def as_of_time(given: list[Change]) -> Iterator[Any]:
    versions = Versions()
    for topic, key, value, at in given:
        if topic == "R":
            versions.put(key, value, at)
        elif value is not None:
            yield key, joined(value, versions.get(key, at)), at


def after_grace(given: list[Change]) -> Iterator[Any]:
    versions = Versions()
    waiting: list[tuple[int, str, int, int]] = []
    clock = -1
    for number, (topic, key, value, at) in enumerate(given):
        if topic == "R":
            versions.put(key, value, at)
            continue
        clock = max(clock, at)
        if value is None:
            continue
        if at < clock - GRACE_MS:
            yield key, joined(value, versions.get(key, at)), at
            continue
        waiting = sorted([*waiting, (at, key, number, value)])
        while waiting and waiting[0][0] <= clock - GRACE_MS:
            due, who, _, what = waiting.pop(0)
            yield who, joined(what, versions.get(who, due)), due


class Versions:
    """A versioned table as a list of everything that was put."""

    def __init__(self) -> None:
        self._puts: dict[str, dict[int, Any]] = {}
        self._clock = -1

    def put(self, key: str, value: Any, at: int) -> None:
        if at >= self._clock - HISTORY_MS:
            self._clock = max(self._clock, at)
            self._puts.setdefault(key, {})[at] = value

    def get(self, key: str, at: int) -> Any:
        puts = self._puts.get(key, {})
        found = max((t for t in puts if t <= at), default=None)
        if found is None or (at < self._clock - HISTORY_MS and found != max(puts)):
            return None
        return puts[found]


def names_by_value(given: list[Change]) -> Iterator[Any]:
    """A global table has a row as soon as it is sent, whatever waits."""
    rows: Rows = {}
    for topic, key, value, at in given:
        if topic == "R":
            rows[key] = value
        elif value is not None:
            yield key, joined(value, rows.get(str(value))), at


STREAMS = {
    "as of its place": (lambda s, t: s.left_join(t, value=joined), as_of_place, Table, False),
    "global": (lambda s, t: s.left_join(t, key=str, value=joined), names_by_value, GlobalTable, False),
    "as of its time": (lambda s, t: s.left_join(t, value=joined), as_of_time, Table, True),
    "after a grace": (lambda s, t: s.left_join(t, value=joined, grace=f"{GRACE_MS}ms"), after_grace, Table, True),
}


ONE_CHUNK = Cut(chunk=100, seed=None, max_keys=1000, cache=1000, partitions=1, crash_after=40)
OUT_OF_REACH_SOON = [("R", "a", 1, 1), ("R", "a", 2, 10), ("L", "a", 0, 5), ("R", "b", 1, 30)]
DELETED_FOR_A_WHILE = [("R", "a", 1, 5), ("R", "a", None, 10), ("L", "a", 0, 10), ("R", "a", 2, 10)]
DELETED_AFTERWARDS = [("R", "a", 0, 0), ("L", "a", 0, 0), ("R", "a", None, 0)]
DELETED_BEFORE_IT_IS_ASKED_FOR = [("R", "a", 0, 0), ("L", "a", 0, 5), ("R", "a", None, 3)]
DELETED_TWICE = [("R", "a", 0, 0), ("R", "a", None, 5), ("L", "a", 0, 7), ("L", "a", 0, 4), ("R", "a", None, 3)]
OLD_UNTIL_DELETED = [("R", "a", 0, 0), ("R", "b", None, 13), ("L", "a", 0, 0), ("R", "a", None, 1)]


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=40, deadline=None)
@given(given=changes, cut=cuts)
@example(given=OUT_OF_REACH_SOON, cut=ONE_CHUNK)
@example(given=DELETED_FOR_A_WHILE, cut=ONE_CHUNK)
@example(given=DELETED_AFTERWARDS, cut=ONE_CHUNK)
@example(given=DELETED_BEFORE_IT_IS_ASKED_FOR, cut=ONE_CHUNK)
@example(given=DELETED_TWICE, cut=ONE_CHUNK)
@example(given=OLD_UNTIL_DELETED, cut=ONE_CHUNK)
@example(given=OLD_UNTIL_DELETED, cut=replace(ONE_CHUNK, chunk=2, max_keys=1, cache=2, crash_after=0))
def test_stream_joined_with_a_table_writes_each_record_of_the_model(name: str, given: list[Change], cut: Cut) -> None:
    declare, model, right, history = STREAMS[name]
    program = Program(declare, lambda _: {}, left=Stream, right=right, history=history)
    given = [*given, ("L", "a", 0, END_MS)]
    if name == "global":
        given = [(t, str(i % 4) if t == "R" else k, v, at) for i, (t, k, v, at) in enumerate(given)]
    expected = list(model(given))
    assert drive(program, given, None)[1] == expected
    got = drive(program, given, replace(cut, partitions=1))[1]
    assert got == expected


@settings(max_examples=40, deadline=None)
@given(given=changes, cut=cuts)
def test_suppressed_table_ends_with_all_rows_once_time_has_passed(given: list[Change], cut: Cut) -> None:
    program = Program(lambda le, ri: le.suppress(until="5ms"), lambda _: {}, value=int)
    given = [
        *(change for change in given if change[0] == "L"),
        ("L", "last", 0, END_MS),
        ("L", "later", 0, END_MS + 10),
    ]
    expected = rows_of(given[:-1], "L")
    one_partition = replace(cut, partitions=1)
    assert drive(program, given, None)[0] == expected
    assert drive(program, given, one_partition)[0] == expected


@settings(max_examples=40, deadline=None)
@given(given=changes, limit=st.integers(1, 3), cut=cuts)
def test_suppressed_table_with_a_limit_lets_the_same_records_go_however_cut(
    given: list[Change], limit: int, cut: Cut
) -> None:
    program = Program(
        lambda le, ri: le.to_table(changes="all").suppress(until="20ms", max_records=limit),
        lambda _: {},
        left=Stream,
        value=int,
    )
    given = [change for change in given if change[0] == "L"]
    one_partition = replace(cut, partitions=1)
    assert drive(program, given, one_partition)[1] == drive(program, given, None)[1]
