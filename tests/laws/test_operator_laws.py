"""Laws of the operators: results do not depend on how input is cut, committed, interrupted or cached.

Each program has a model of a few lines of plain Python. Programs without tables, and those whose tables pass on every
change, must write the model's records one by one; the others must end with its table.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import App, Stream, Table, Topic
from framework.testing import TestDriver

Row = tuple[str, Any, int]  # key, value, timestamp
Model = Callable[[list[Row]], Iterator[Row]]
PROGRAMS: list[Any] = []


@dataclass(frozen=True)
class Program:
    """Reads `given` (str → int), writes `results` (str → `value`)."""

    declare: Callable[[Any], Any]
    model: Model
    is_exact: bool
    value: Any
    has_tombstones: bool
    regroups: bool


def program(
    model: Model,
    *,
    exact: bool = True,
    value: Any = int,
    tombstones: bool = False,
    table: bool = False,
    regroups: bool = False,
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Add a program: its function gets the stream, or the table, of `given`."""

    def add(declare: Callable[[Any], Any]) -> Callable[[Any], Any]:
        declare.__annotations__ = {"given": Table[str, int] if table else Stream[str, int]}
        case = Program(declare, model, exact, value, tombstones, regroups)
        PROGRAMS.append(pytest.param(case, id=declare.__name__.replace("_", " ")))
        return declare

    return add


# Models


def each(fn: Callable[[str, int], list[tuple[str, Any]]]) -> Model:
    """The results of each record, with its timestamp."""
    return lambda rows: ((key, value, t) for k, v, t in rows for key, value in fn(k, v))


def folded(fn: Callable[[Any, int], Any], start: Any, of: Callable[[str, int], str] = lambda k, _: k) -> Model:
    """The state of a key after each record, with the greatest timestamp; None deletes."""

    def fold(rows: list[Row]) -> Iterator[Row]:
        states: dict[str, tuple[Any, int]] = {}
        for k, v, t in rows:
            if v is None:
                continue
            key = of(k, v)
            state, newest = states.pop(key, (start, -1))
            result = v if state is FIRST else fn(state, v)
            newest = max(newest, t)
            if result is not None:
                states[key] = result, newest
            yield key, result, newest

    return fold


FIRST = object()


def both_paths(rows: list[Row]) -> Iterator[Row]:
    counts = folded(lambda n, v: n + 1, 0)(rows)
    for (k, v, t), counted in zip(rows, counts, strict=True):
        yield k, v + 100, t
        yield counted


def counts_of_counts(rows: list[Row]) -> Iterator[Row]:
    first = list(folded(lambda n, v: n + 1, 0)(rows))
    return folded(lambda n, v: n + 1, 0, lambda k, v: f"n{v}")(first)


def means(rows: list[Row]) -> Iterator[Row]:
    states = folded(lambda state, v: (state[0] + v, state[1] + 1), (0, 0), lambda k, v: str(v % 3))
    return ((key, total / number, t) for key, (total, number), t in states(rows))


# Programs without state


@program(each(lambda k, v: [(k, v * 2)]))
def map_values(given):
    return given.map(lambda v: v * 2)


@program(each(lambda k, v: [(k + "!", v + 1)]))
def map_items(given):
    return given.map_items(lambda k, v: (k + "!", v + 1))


@program(each(lambda k, v: [(k, i) for i in range(v)]))
def flat_map(given):
    return given.flat_map(range, type=int)


@program(each(lambda k, v: [(k, v), (k + k, -v)][: v % 3]))
def flat_map_items(given):
    return given.flat_map_items(lambda k, v: [(k, v), (k + k, -v)][: v % 3])


@program(each(lambda k, v: [(k, v)] if v % 2 else []))
def filter_values(given):
    return given.filter(lambda v: v % 2)


@program(each(lambda k, v: [(k, v)] if k == "a" else []))
def filter_items(given):
    return given.filter_items(lambda k, v: k == "a")


@program(each(lambda k, v: [(str(v), v)]))
def rekey(given):
    return given.rekey(str)


@program(each(lambda k, v: [(k, v)]))
def peek(given):
    return given.peek(lambda v: v + 1)


@program(each(lambda k, v: [(k, v), (k, v)]))
def merge_with_itself(given):
    return given.merge(given)


@program(each(lambda k, v: [(k, v + 100)] + [(k, v)] * (v % 2)))
def merge_of_two_paths_keeps_order_of_source(given):
    return given.map(lambda v: v + 100).merge(given.filter(lambda v: v % 2))


@program(each(lambda k, v: [(k, f"odd {v}" if v % 2 else f"small {v}" if v < 3 else f"rest {v}")]), value=str)
def branch_and_merge(given):
    odd, small, rest = given.branch(lambda v: v % 2, lambda v: v < 3, otherwise=True)
    return rest.map(lambda v: f"rest {v}").merge(odd.map(lambda v: f"odd {v}"), small.map(lambda v: f"small {v}"))


@program(each(lambda k, v: [(k, v)] if v % 2 else []))
def branch_without_rest(given):
    (odd,) = given.branch(lambda v: v % 2)
    return odd


@program(each(lambda k, v: [(str(v % 3), v + 1)]))
def repartition(given):
    return given.rekey(lambda v: str(v % 3)).repartition().map(lambda v: v + 1)


# Programs with state, by table and change by change


@program(iter, exact=False, tombstones=True, table=True)
def read_as_table(given):
    return given


@program(iter, exact=False, tombstones=True)
def to_table(given):
    return given.to_table()


@program(iter, tombstones=True)
def to_table_all(given):
    return given.to_table(changes="all")


@program(folded(lambda n, v: n + 1, 0), exact=False, tombstones=True)
def count(given):
    return given.group_by_key().count()


@program(folded(lambda n, v: n + 1, 0), tombstones=True)
def count_all(given):
    return given.group_by_key().count(changes="all")


@program(folded(lambda n, v: n + 1, 0, lambda k, v: str(v % 3)), exact=False, regroups=True)
def group_by_and_count(given):
    return given.group_by(lambda v: str(v % 3)).count()


@program(folded(lambda n, v: n + 1, 0, lambda k, v: str(v % 3)), regroups=True)
def group_by_and_count_all(given):
    return given.group_by(lambda v: str(v % 3)).count(changes="all")


@program(folded(max, FIRST, lambda k, v: str(v % 3)), exact=False, regroups=True)
def group_by_and_max(given):
    return given.group_by(lambda v: str(v % 3)).max()


@program(means, exact=False, value=float, regroups=True)
def group_by_and_mean(given):
    return given.group_by(lambda v: str(v % 3)).mean()


@program(folded(lambda old, new: old + new, FIRST, lambda k, v: str(v % 3)), exact=False, regroups=True)
def group_by_and_reduce(given):
    return given.group_by(lambda v: str(v % 3)).reduce(lambda old, new: old + new, associative=True)


@program(folded(lambda total, v: total + v, 0), exact=False, tombstones=True)
def sum_values(given):
    return given.group_by_key().sum()


@program(folded(lambda total, v: total + 10 * v, 0), tombstones=True)
def sum_of_all(given):
    return given.group_by_key().sum(lambda v: 10 * v, type=int, changes="all")


@program(folded(lambda old, new: old * 3 - new, FIRST), exact=False, tombstones=True)
def reduce(given):
    return given.group_by_key().reduce(lambda old, new: old * 3 - new)


@program(folded(lambda old, new: old * 3 - new, FIRST), tombstones=True)
def reduce_all(given):
    return given.group_by_key().reduce(lambda old, new: old * 3 - new, changes="all")


@program(folded(lambda seen, v: [*seen, v], []), exact=False, value=list[int])
def aggregate_that_changes_its_state(given):
    return given.group_by_key().aggregate(list, append, type=list[int])


@program(folded(lambda seen, v: [*seen, v], []), value=list[int])
def aggregate_that_changes_its_state_all(given):
    return given.group_by_key().aggregate(list, append, type=list[int], changes="all")


@program(folded(lambda total, v: None if v == 0 else total + v, 0), exact=False)
def aggregate_that_deletes(given):
    return given.group_by_key().aggregate(0, lambda total, v: None if v == 0 else total + v)


@program(folded(lambda total, v: None if v == 0 else total + v, 0))
def aggregate_that_deletes_all(given):
    return given.group_by_key().aggregate(0, lambda total, v: None if v == 0 else total + v, changes="all")


@program(
    lambda rows: ((k, -n, t) for k, n, t in folded(lambda n, v: n + 1, 0)(rows)), exact=False, tombstones=True
)  # fmt: skip
def to_stream_and_map(given):
    return given.group_by_key().count().to_stream().map(lambda n: -n)


@program(both_paths)
def stream_merged_with_its_table(given):
    counts = given.group_by_key().count(changes="all")
    return given.map(lambda v: v + 100).merge(counts.to_stream())


@program(counts_of_counts, regroups=True)
def table_of_a_table(given):
    counts = given.group_by_key().count(changes="all")
    return counts.to_stream().group_by(lambda n: f"n{n}").count(changes="all")


def append(seen: list[int], v: int) -> list[int]:
    seen.append(v)
    return seen


# The law


@dataclass(frozen=True)
class Interruptions:
    """How a run is cut; `events` come after the record of that number: a chunk is taken, or the process dies."""

    chunk: int
    seed: int
    cache_entries: int
    max_uncommitted_keys: int
    events: dict[int, str]


interruptions = st.builds(
    Interruptions,
    chunk=st.sampled_from([1, 2, 3, 10]),
    seed=st.integers(0, 9),
    cache_entries=st.sampled_from([0, 2, 100]),
    max_uncommitted_keys=st.sampled_from([1, 3, 100]),
    events=st.dictionaries(
        st.integers(0, 15), st.sampled_from(["turn", "crash", "crash, disk kept"]), max_size=6
    ),
)  # fmt: skip
rows = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.integers(0, 9)), max_size=16)


def run(case: Program, given_rows: list[Row], cut: Interruptions, partitions: int) -> list[Row]:
    app = App("law")
    given: Topic[str, int] = app.topic("given", key=str, value=int)
    results = app.topic("results", key=str, value=case.value)
    app.topology(given, to=results)(case.declare)
    options: Any = {
        "chunk": cut.chunk, "seed": cut.seed, "partitions": partitions,
        "cache_entries": cut.cache_entries, "max_uncommitted_keys": cut.max_uncommitted_keys,
    }  # fmt: skip
    with TestDriver(app, **options) as driver:
        for i, (key, value, timestamp) in enumerate(given_rows):
            driver.send(given, value, key=key, at=timestamp)
            match cut.events.get(i):
                case "turn":
                    driver.turn()
                case "crash":
                    driver.turn()
                    driver.restart()
                case "crash, disk kept":
                    driver.turn()
                    driver.restart(keep_state=True)
        return [(record.key, record.value, record.timestamp_ms) for record in driver.records(results)]


@pytest.mark.parametrize("case", PROGRAMS)
@given(given_rows=rows, cut=interruptions, partitions=st.sampled_from([1, 3]), deleted=st.sets(st.integers(0, 15)))
def test_results_do_not_depend_on_cuts(
    case: Program, given_rows: list[Row], cut: Interruptions, partitions: int, deleted: set[int]
) -> None:
    if case.has_tombstones:
        given_rows = [(k, None if i in deleted else v, t) for i, (k, v, t) in enumerate(given_rows)]
    found = run(case, given_rows, cut, partitions)
    expected = list(case.model(given_rows))
    if case.regroups and partitions > 1:  # records of one new key come from several partitions, in any order
        assert latest(found) == latest(expected)
    elif case.is_exact and partitions == 1:
        assert found == expected
    elif case.is_exact:
        assert sorted(found, key=repr) == sorted(expected, key=repr)
    else:
        assert latest(found) == latest(expected)
        assert_subsequence(found, expected)


def latest(written: list[Row]) -> dict[str, tuple[Any, int]]:
    return {key: (value, timestamp) for key, value, timestamp in written}


def assert_subsequence(found: list[Row], expected: list[Row]) -> None:
    """What was written for a key are some of the model's changes, in their order."""
    for key in {key for key, _, _ in found}:
        changes = iter([row for row in expected if row[0] == key])
        assert all(row in changes for row in found if row[0] == key)
