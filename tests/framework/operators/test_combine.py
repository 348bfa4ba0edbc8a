"""Partial results before a repartition."""

from collections.abc import Callable
from math import nan
from typing import Any

import hypothesis
import msgspec
import pytest
from hypothesis import strategies as st

from framework import App, GroupedStream, Stream, Table, Topic
from framework.errors import ProgramChanged
from framework.testing import TestDriver

TOPIC = "app-words.count.partials-repartition"


def words(**options: Any) -> tuple[App, Topic[None, str], Topic[str, int]]:
    app = App("app")
    lines, counts = app.topic("lines", value=str), app.topic("counts", key=str, value=int)

    @app.topology(lines, to=counts)
    def words(lines: Stream[None, str]) -> Table[str, int]:
        return lines.flat_map(str.split).group_by(lambda word: None if word == "-" else word, key=str).count(**options)

    return app, lines, counts


def test_chunk_sends_one_record_per_key() -> None:
    app, lines, counts = words()
    with TestDriver(app, chunk=100) as driver:
        driver.send(lines, "a b a", at=1)
        driver.send(lines, "a c", at=5)
        driver.send(lines, "b", at=3)
        assert driver.table(counts) == {"a": 3, "b": 2, "c": 1}
        assert [(r.key, r.value, r.timestamp_ms) for r in driver.records(TOPIC)] == [
            ("a", 3, 5),
            ("b", 2, 3),
            ("c", 1, 5),
        ]
        assert [(r.key, r.timestamp_ms) for r in driver.records(counts)] == [("a", 5), ("b", 3), ("c", 5)]


def test_record_by_record_each_change_is_told() -> None:
    app, lines, counts = words()
    with TestDriver(app) as driver:
        driver.send(lines, "a b a")
        assert driver.read(counts) == [("a", 1), ("b", 1), ("a", 2)]


def test_records_without_key_are_dropped_before_they_travel() -> None:
    app, lines, counts = words()
    with TestDriver(app, chunk=100) as driver:
        driver.send(lines, "a - -")
        assert driver.table(counts) == {"a": 1}
        assert driver.dropped == {("words.count", "null key or value"): 2}


def test_sum_of_whole_numbers_and_keys_that_are_objects_are_combined() -> None:
    app = App("app")
    given, sums = app.topic("given", value=int), app.topic("sums", key=list[int], value=int)

    @app.topology(given, to=sums)
    def sum_up(given: Stream[None, int]) -> Table[list[int], int]:
        return given.group_by(lambda n: [n % 2], key=list[int]).sum()

    with TestDriver(app, chunk=100) as driver:
        for n in range(10):
            driver.send(given, n)
        assert sorted(driver.read(sums)) == [([0], 20), ([1], 25)]
        assert len(driver.records("app-sum_up.sum.partials-repartition")) == 2


class Path(msgspec.Struct):
    """Of a type whose function changes it in place."""

    places: list[str]


def joined(old: Path, new: Path) -> Path:
    old.places += new.places
    return old


def first_letter(path: Path) -> str:
    return path.places[0][0]


def length(text: str) -> int:
    return len(text)


def grouped(
    aggregate: Callable[[GroupedStream[str, Any]], Table[str, Any]],
    value: Any = int,
    result: Any = int,
    key_of: Callable[[Any], str] = lambda _: "k",
) -> tuple[App, Topic[str, Any], Topic[str, Any]]:
    app = App("app")
    given, results = app.topic("given", key=str, value=value), app.topic("results", key=str, value=result)

    def regroup(given: Any) -> Any:
        return aggregate(given.group_by(key_of, key=str))

    regroup.__annotations__ = {"given": Stream[str, value], "return": Table[str, result]}
    app.topology(given, to=results)(regroup)
    return app, given, results


def travelled(app: App, driver: TestDriver) -> list[tuple[Any, Any]]:
    (topic,) = app.plan().repartition_topics()
    return [(record.key, record.value) for record in driver.records(topic.name)]


@pytest.mark.parametrize(
    ("aggregate", "types", "values", "partial", "result"),
    [
        pytest.param(lambda g: g.min(), (int, int), [3, 1, 2], 1, 1, id="min"),
        pytest.param(lambda g: g.max(length), (str, int), ["a", "abc", "ab"], 3, 3, id="max of a function"),
        pytest.param(lambda g: g.max(), (str, str), ["b", "c", "a"], "c", "c", id="max of texts"),
        pytest.param(lambda g: g.mean(), (int, float), [1, 2, 6], (9, 3), 3.0, id="mean of whole numbers"),
        pytest.param(
            lambda g: g.reduce(lambda old, new: old + new, associative=True),
            (str, str), ["a", "b", "c"], "abc", "abc", id="associative reduce, in the order of the records",
        ),
    ],
)  # fmt: skip
def test_chunk_sends_one_partial_result_per_key(
    aggregate: Any, types: tuple[Any, Any], values: list[Any], partial: Any, result: Any
) -> None:
    app, given, results = grouped(aggregate, *types)
    with TestDriver(app, chunk=100) as driver:
        for value in values:
            driver.send(given, value, key="k")
        assert driver.table(results) == {"k": result}
        assert travelled(app, driver) == [("k", partial)]


@pytest.mark.parametrize(
    ("aggregate", "types"),
    [
        pytest.param(lambda g: g.sum(), (float, float), id="sum of floats"),
        pytest.param(lambda g: g.mean(), (float, float), id="mean of floats"),
        pytest.param(lambda g: g.reduce(lambda old, new: new - old), (float, float), id="reduce"),
        pytest.param(lambda g: g.max(lambda value: [value]), (float, list[float]), id="max of an unknown type"),
        pytest.param(lambda g: g.max(changes="all"), (float, float), id="each change is told"),
    ],
)
def test_where_parts_may_come_to_something_else_each_record_travels(aggregate: Any, types: tuple[Any, Any]) -> None:
    app, given, _ = grouped(aggregate, *types)
    with TestDriver(app, chunk=100) as driver:
        for value in (1.0, 2.0):
            driver.send(given, value, key="k")
        assert travelled(app, driver) == [("k", 1.0), ("k", 2.0)]


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_greatest_and_least_of_floats_with_nan_do_not_depend_on_the_cut(chunk: int) -> None:
    for aggregate, expected in ((lambda g: g.min(), 0.5), (lambda g: g.max(), 2.0)):
        app, given, results = grouped(aggregate, float, float)
        with TestDriver(app, chunk=chunk) as driver:
            for value in (nan, 1.0, nan, 0.5, 2.0, nan):
                driver.send(given, value, key="k")
            assert driver.table(results) == {"k": expected}


@hypothesis.given(
    keys=st.lists(st.sampled_from(["aa", "ab", "b"]), max_size=12),
    chunk=st.integers(1, 5),
    restart=st.integers(0, 12),
)
@hypothesis.settings(max_examples=30)
def test_associative_reduce_that_changes_its_state_comes_to_the_same_as_record_by_record(
    keys: list[str], chunk: int, restart: int
) -> None:
    found = []
    for options in ({"associative": True}, {"changes": "all"}):
        app, given, results = grouped(lambda g, chosen=options: g.reduce(joined, **chosen), Path, Path, first_letter)
        with TestDriver(app, chunk=chunk) as driver:
            for place, key in enumerate(keys):
                driver.send(given, Path([f"{key}{place}"]), key=key)
                if place == restart:
                    driver.turn()
                    driver.restart()
            found.append(driver.table(results))
    assert found[0] == found[1]


def test_value_that_another_step_has_too_is_not_changed_by_the_reduction() -> None:
    app = App("app")
    given, paths = app.topic("given", key=str, value=Path), app.topic("paths", key=str, value=Path)
    copies = app.topic("copies", key=str, value=Path)

    @app.topology(given, to=(paths, copies))
    def split(given: Stream[str, Path]) -> tuple[Table[str, Path], Stream[str, Path]]:
        kept = given.filter(lambda path: True)
        reduced = kept.group_by(lambda path: "all", key=str).reduce(joined, associative=True)
        return reduced, kept.map(lambda path: Path(path.places))

    with TestDriver(app, chunk=100) as driver:
        for place in "ab":
            driver.send(given, Path([place]), key=place)
        assert driver.read(paths) == [("all", Path(["a", "b"]))]
        assert driver.read(copies) == [("a", Path(["a"])), ("b", Path(["b"]))]


def test_associative_reduce_that_returns_none_is_told() -> None:
    app, given, _ = grouped(lambda g: g.reduce(lambda old, new: None, associative=True))
    with TestDriver(app) as driver:
        driver.send(given, 1, key="k")
        with pytest.raises(Exception, match=r"reduce\(associative=True\) keeps a value"):
            driver.send(given, 2, key="k")


@pytest.mark.parametrize("is_first", [True, False])
def test_reduce_that_is_declared_associative_later_stops_the_start(is_first: bool) -> None:
    programs = [grouped(lambda g, a=a: g.reduce(min, associative=a, name="least")) for a in (is_first, not is_first)]
    (before, given, _), (after, _, _) = programs
    with TestDriver(before, chunk=10) as driver:
        driver.send(given, 1, key="k")
        with pytest.raises(ProgramChanged, match="partial results"):
            driver.restart(after)


def test_change_of_what_travels_stops_the_start() -> None:
    before, lines, _ = words()
    after, _, _ = words(changes="all")
    with TestDriver(before, chunk=10) as driver:
        driver.send(lines, "a")
        with pytest.raises(ProgramChanged, match="its input was partial results and is None"):
            driver.restart(after)
