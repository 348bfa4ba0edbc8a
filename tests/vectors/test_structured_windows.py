"""Aggregations and windows of Structured Streaming (structured.yaml): the rows they end with.

A micro-batch there is a chunk and a commit here. Stream time moves with each record, not between batches, so final rows
come out one batch earlier at times; where that is so, all rows of the run are compared.
"""

from collections import Counter
from typing import Any

import pytest

from framework import App, Stream, Table, Topic, Windowed, hopping, session, tumbling
from framework.testing import TestDriver
from tests.vectors.runner import Case, structured

Rows = list[list[Any]]


class Query:
    """An app that reads `given`; each step's new rows as the cases write them."""

    def __init__(self, declare: Any, *, value: Any = int, key: Any = str, result: Any = int) -> None:
        self.app = App("query")
        self.given: Topic[None, Any] = self.app.topic("given", value=value)
        self.results = self.app.topic("results", key=key, value=result)
        returned: Any = Table[key, result]

        @self.app.topology(self.given, to=self.results)
        def query(given: Stream[None, value]) -> returned:
            return declare(given)

        self.driver = TestDriver(self.app, chunk=1000)
        self._seen = 0

    def step(self, values: list[Any], at: Any = lambda _: 0) -> list[Any]:
        for value in values:
            self.driver.send(self.given, value, at=at(value))
        found = self.driver.records(self.results)[self._seen :]
        self._seen += len(found)
        return found


def same(found: Rows, expected: Rows) -> bool:
    return Counter(map(tuple, found)) == Counter(map(tuple, expected))


def check_steps(query: Query, steps: list[Any], rows: Any = lambda r: [r.key, r.value]) -> None:
    for number, step in enumerate(steps):
        if step == "restart":
            query.driver.restart()
        else:
            assert same([rows(r) for r in query.step(step["in"])], step["last"]), f"step {number}"


@structured("V-A1")
def test_v_a1_word_count_complete(case: Case) -> None:
    def declare(lines: Any) -> Any:
        return lines.flat_map(lambda line: line.split(" ")).group_by(lambda word: word).count(emit="complete")

    check_steps(Query(declare, value=str), case["steps"])


@structured("V-A3", "V-A4")
def test_v_a3_v_a4_count_with_restart(case: Case) -> None:
    emit: Any = "complete" if case["id"] == "V-A4" else "changes"
    query = Query(lambda given: given.group_by(lambda v: v, key=int).count(emit=emit), key=int)
    check_steps(query, case["steps"])


@structured("V-A7")
@pytest.mark.parametrize(("mode", "emit"), [("update", "changes"), ("complete", "complete")])
def test_v_a7_count_after_flat_map(case: Case, mode: str, emit: Any) -> None:
    declare = lambda given: given.flat_map(lambda x: [x, x + 1], type=int).group_by(lambda v: v).count(emit=emit)
    check_steps(Query(declare, key=int), case[mode])


@structured("V-A9")
def test_v_a9_batch_that_fails_once_counts_once(case: Case) -> None:
    failures = iter([ValueError("once")])

    def fail_once(value: int) -> int:
        if value == 4 and (error := next(failures, None)):
            raise error
        return value

    query = Query(lambda given: given.map(fail_once).group_by(lambda v: v).count(), key=int)
    failing, again = case["steps"]
    assert same([[r.key, r.value] for r in query.step(failing["in"])], again["last"])


def minutes(text: str) -> int:
    hours, rest = text.split(":")
    return (int(hours) * 60 + int(rest)) * 60_000


def clock(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}"


def word_windows(emit: str) -> Query:
    def declare(given: Any) -> Any:
        grouped = given.group_by(lambda row: row[1], key=str)
        return grouped.window(hopping("10m", "5m", grace="10m")).count(emit=emit)

    return Query(declare, value=list[str], key=Windowed[str])


@structured("V-B2U")
def test_v_b2u_windowed_word_count_update(case: Case) -> None:
    query = word_windows("changes")
    for step in case["steps"]:
        found = query.step(step["in"], lambda row: minutes(row[0]))
        assert same([[clock(r.key.start), r.key.key, r.value] for r in found], step["out"]), step["at"]


@structured("V-B2A")
def test_v_b2a_windowed_word_count_append(case: Case) -> None:
    query = word_windows("final")
    steps = case["steps"]
    found = [r for step in steps for r in query.step(step["in"], lambda row: minutes(row[0]))]
    rows = [[clock(r.key.start), r.key.key, r.value] for r in found]
    assert same(rows, [row for step in steps for row in step["out"]])


def five_second_windows(given: Any) -> Any:
    return given.group_by(lambda _: "all").window(tumbling("5s", grace="10s")).count(emit="final")


def seconds(value: int) -> int:
    return value * 1000


@structured("V-B3")
def test_v_b3_append_mode(case: Case) -> None:
    query = Query(five_second_windows, key=Windowed[str])
    for step in case["steps"]:
        found = query.step(step["in"], seconds)
        assert [[r.key.start // 1000, r.value] for r in found] == step["new"]


@structured("V-P2")
def test_v_p2_append_mode(case: Case) -> None:
    query = Query(five_second_windows, key=Windowed[str])
    batches = case["batches"]
    found = [[r.key.start // 1000, r.value] for batch in batches for r in query.step(batch["in"], seconds)]
    assert found == [row for batch in batches for row in batch["out"]]


@structured("V-C2")
def test_v_c2_sessions_of_words_complete(case: Case) -> None:
    def declare(given: Any) -> Any:
        words = given.flat_map(lambda row: row[0].split(" "), type=str).group_by(lambda word: word)
        return words.window(session("10s", grace="30s")).count(emit="complete")

    query = Query(declare, value=tuple[str, int], key=Windowed[str])
    for step in case["steps"]:
        found = query.step([tuple(row) for row in step["in"]], lambda row: row[1] * 1000)
        rows = [[r.key.key, r.key.start // 1000, r.key.end // 1000 + 10, r.value] for r in found]
        assert same(rows, [[word, start, end, n] for word, start, end, _, n in step["new"]])


@structured("V-C5")
def test_v_c5_session_aggregates_append(case: Case) -> None:
    def declare(given: Any) -> Any:
        grouped = given.group_by(lambda row: row[0], key=str).window(session("10s", grace="30s"))
        return grouped.collect(lambda row: row[1], emit="final")

    query = Query(declare, value=tuple[str, int], key=Windowed[str], result=list[int])
    append = case["cases"][2]
    found = [
        r for step in append["steps"] for r in query.step([tuple(row) for row in step["in"]], lambda row: row[1] * 1000)
    ]
    (expected,) = append["steps"][-1]["all"]
    rows = [
        [r.key.key, r.key.start // 1000, r.key.end // 1000 + 10, sum(r.value) / len(r.value), sum(r.value)]
        for r in found
    ]
    assert rows == [[*expected[:4], expected[7]]]


@structured("V-F4")
def test_v_f4_windows_of_distinct_values_append(case: Case) -> None:
    query = Query(
        lambda given: five_second_windows(given.rekey(lambda v: v).deduplicate(lambda v: v, within="10s")),
        key=Windowed[str],
    )
    for step in case["cases"][0]["steps"]:
        values = [v for v in range(10, 16) for _ in range(5)] if isinstance(step["in"], str) else step["in"]
        found = query.step(values, seconds)
        assert [[r.key.start // 1000, r.value] for r in found] == step["last"]
