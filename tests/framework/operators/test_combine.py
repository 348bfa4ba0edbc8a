"""Partial results before a repartition."""

from typing import Any

import pytest

from framework import App, Stream, Table, Topic
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


def test_change_of_what_travels_stops_the_start() -> None:
    before, lines, _ = words()
    after, _, _ = words(changes="all")
    with TestDriver(before, chunk=10) as driver:
        driver.send(lines, "a")
        with pytest.raises(ProgramChanged, match="its input was partial results and is None"):
            driver.restart(after)
