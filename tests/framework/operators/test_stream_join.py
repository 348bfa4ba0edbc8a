"""Joins of two streams: windows, order, late records, state. The tests named after Kafka Streams' port its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from framework import App, Stream, Topic
from framework.records import Records, TaskId, TopicPartition
from framework.runtime.task import Task, TaskPhase
from framework.testing import TestDriver
from state import MemoryBackend, TaskState

Row = tuple[str | None, str, int]


def text(left: str | None, right: str | None) -> str:
    return f"{left or 'null'}+{right or 'null'}"


@dataclass
class Joined:
    """A driven join of `lefts` and `rights`; a record is written as side, key, value, and at which time."""

    driver: TestDriver
    lefts: Topic[str, str]
    rights: Topic[str, str]
    results: Topic[str, str]
    seen: int = 0

    def send(self, side: str, key: str | None, value: str | None, at: int, **more: Any) -> None:
        self.driver.send(self.lefts if side == "L" else self.rights, value, key=key, at=at, **more)

    def send_all(self, side: str, letter: str, at: int, keys: str = "0123") -> list[Row]:
        """One record per key, called A0, A1, …; what follows from them."""
        for key in keys:
            self.send(side, key, letter + key, at)
        return self.read()

    def read(self) -> list[Row]:
        rows = [(r.key, r.value, r.timestamp_ms) for r in self.driver.records(self.results)]
        self.seen, start = len(rows), self.seen
        return rows[start:]


Join = Callable[..., Joined]


@pytest.fixture
def join() -> Iterator[Join]:
    drivers = []

    def build(kind: str, within: Any, grace: str = "0ms", driver_options: Any = None, **options: Any) -> Joined:
        app = App("app")
        lefts = app.topic("lefts", key=str, value=str)
        rights = app.topic("rights", key=str, value=str)
        results = app.topic("results", key=str, value=str)

        @app.topology(lefts, rights, to=results)
        def topology(lefts: Stream[str, str], rights: Stream[str, str]) -> Stream[str, str]:
            verb: Any = getattr(lefts, kind)
            if kind != "semi_join":
                options["value"] = text
            result: Stream[str, str] = verb(rights, within=within, grace=grace, name="join", **options)
            return result

        drivers.append(TestDriver(app, **(driver_options or {})))
        return Joined(drivers[-1], lefts, rights, results)

    yield build
    for driver in drivers:
        driver.close()


def upper_window_bound(j: Joined, right: str) -> None:
    """Rights at 1000 to 1003 one per key; lefts from 1100 on; what nobody matched comes with a record at 1405."""
    for key in "0123":
        j.send("R", key, right + key, 1000 + int(key))
    j.read()
    r = right
    assert j.send_all("L", "B", 1100) == [(k, f"B{k}+{r}{k}", 1100) for k in "0123"]
    assert j.send_all("L", "C", 1101) == [(k, f"C{k}+{r}{k}", 1101) for k in "123"]
    assert j.send_all("L", "D", 1102) == [(k, f"D{k}+{r}{k}", 1102) for k in "23"]
    assert j.send_all("L", "E", 1103) == [(k, f"E{k}+{r}{k}", 1103) for k in "3"]
    assert j.send_all("L", "F", 1104) == []
    j.send("L", "0", "dummy", 1405)
    assert j.read() == [
        ("0", "C0+null", 1101),
        ("0", "D0+null", 1102), ("1", "D1+null", 1102),
        ("0", "E0+null", 1103), ("1", "E1+null", 1103), ("2", "E2+null", 1103),
        ("0", "F0+null", 1104), ("1", "F1+null", 1104), ("2", "F2+null", 1104), ("3", "F3+null", 1104),
    ]  # fmt: skip


def lower_window_bound(j: Joined, right: str) -> None:
    """Left records long after their windows closed meet what the right side, by its own time, still keeps."""
    r = right
    assert j.send_all("L", "G", 899) == [(k, f"G{k}+null", 899) for k in "0123"]
    for letter, at, matched in (("H", 900, "0"), ("I", 901, "01"), ("J", 902, "012"), ("K", 903, "0123")):
        expected = [
            (k, f"{letter}{k}+{r}{k}", 1000 + int(k)) if k in matched else (k, f"{letter}{k}+null", at) for k in "0123"
        ]
        assert j.send_all("L", letter, at) == expected
    j.send("L", "0", "dummy", 1103)
    assert j.read() == [("0", "dummy+null", 1103)]


# Source: KStreamKStreamLeftJoinTest#testWindowing, KStreamKStreamOuterJoinTest#testWindowing.
@pytest.mark.parametrize("kind", ["left_join", "outer_join"])
def test_kafka_streams_windowing(join: Join, kind: str) -> None:
    j = join(kind, "100ms")
    assert j.send_all("L", "A", 0, "01") == []
    rights = "0123" if kind == "left_join" else "01"  # unmatched rights are another test's
    assert j.send_all("R", "a", 0, rights) == [("0", "A0+a0", 0), ("1", "A1+a1", 0)]
    upper_window_bound(j, "b")
    lower_window_bound(j, "b")


# Source: KStreamKStreamOuterJoinTest#testEmitAllNonJoinedResultsForAsymmetricWindow.
def test_kafka_streams_asymmetric_window_emits_each_side_by_its_own_end(join: Join) -> None:
    j = join("outer_join", ("5ms", "20ms"))
    for side, key, value, at in (
        ("L", "0", "A0", 29), ("L", "1", "A1", 30), ("R", "2", "12", 31), ("R", "3", "13", 36),
    ):  # fmt: skip
        j.send(side, key, value, at)
    assert j.read() == []
    j.send("R", "4", "14", 37)
    assert j.read() == [("2", "null+12", 31)]
    j.send("R", "5", "15", 50)
    assert j.read() == [("0", "A0+null", 29), ("3", "null+13", 36), ("4", "null+14", 37)]


# Source: KStreamKStreamOuterJoinTest#testShouldNotEmitLeftJoinResultForAsymmetricAfterWindow.
def test_kafka_streams_window_without_after(join: Join) -> None:
    j = join("outer_join", ("100ms", "0ms"))
    j.send("L", "0", "A0", 0)
    j.send("L", "1", "A1", 1)
    assert j.read() == [("0", "A0+null", 0)]
    j.send("R", "1", "11", 1)
    assert j.read() == [("1", "A1+11", 1)]
    j.send("R", "2", "12", 101)
    j.send("R", "3", "13", 101)
    assert j.read() == []
    j.send("L", "2", "A2", 201)
    assert j.read() == [("2", "A2+12", 201)]


# Source: KStreamKStreamOuterJoinTest#testGracePeriod, KStreamKStreamLeftJoinTest#testGracePeriod.
def test_kafka_streams_grace_delays_unmatched_rows(join: Join) -> None:
    j = join("outer_join", "100ms", "10ms")
    j.send("L", "0", "A0", 0)
    j.send("R", "1", "11", 0)
    j.send("L", "1", "A1", 101)
    j.send("R", "0", "10", 101)
    assert j.read() == []
    j.send("R", "0", "100", 112)
    assert j.read() == [("1", "null+11", 0), ("0", "A0+null", 0)]


# Source: KStreamKStreamLeftJoinTest#testRightNonJoinedRecordsAreNeverEmittedByTheLeftProcessor, …Right….
@pytest.mark.parametrize("side", ["L", "R"])
def test_kafka_streams_left_join_never_emits_unmatched_rights(join: Join, side: str) -> None:
    j = join("left_join", "100ms")
    j.send("R", "0", "a0", 1)
    j.send("L", "1", "A1", 2)
    j.send("R", "1", "a1", 3)
    j.send(side, "2", "dummy", 401)
    assert j.read() == [("1", "A1+a1", 3)]


# Source: KStreamKStreamOuterJoinTest#runOuterJoin.
def test_kafka_streams_outer_join_pairs_every_record_with_every_other(join: Join) -> None:
    j = join("outer_join", "100ms")
    assert j.send_all("L", "A", 0, "01") == []
    assert j.send_all("R", "1", 0, "01") == [("0", "A0+10", 0), ("1", "A1+11", 0)]
    assert j.send_all("L", "B", 0, "012") == [("0", "B0+10", 0), ("1", "B1+11", 0)]
    assert j.send_all("R", "2", 0) == [
        ("0", "A0+20", 0), ("0", "B0+20", 0), ("1", "A1+21", 0), ("1", "B1+21", 0), ("2", "B2+22", 0),
    ]  # fmt: skip
    assert j.send_all("L", "C", 0) == [
        ("0", "C0+10", 0), ("0", "C0+20", 0), ("1", "C1+11", 0), ("1", "C1+21", 0), ("2", "C2+22", 0),
        ("3", "C3+23", 0),
    ]  # fmt: skip
    j.send("L", "0", "dummy", 400)
    assert j.read() == []


def test_record_out_of_order_within_grace_waits_for_its_match(join: Join) -> None:
    j = join("left_join", "10ms", "50ms")
    j.send("R", "other", "r", 100)
    j.send("L", "k", "l", 60)
    assert j.read() == []
    j.send("R", "k", "r", 55)
    assert j.read() == [("k", "l+r", 60)]
    j.send("R", "other", "r", 1000)
    assert j.read() == []


def test_late_record_dropped_if_asked_is_counted(join: Join) -> None:
    j = join("outer_join", "10ms", late="drop")
    j.send("R", "other", "r", 100)
    j.send("L", "k", "l", 89)
    j.send("L", "k", "l", 90)
    j.send("R", "other", "r", 200)
    assert j.read() == [("k", "l+null", 90), ("other", "null+r", 100)]
    assert j.driver.dropped == {("join", "late"): 1}


def late_of(topology: Any, **types: Any) -> tuple[TestDriver, list[Topic[Any, Any]]]:
    """A driven app with the topics lefts, rights, late_lefts and late_rights; the values of the rights are numbers."""
    app = App("late")
    lefts, late_lefts = (app.topic(name, key=str, value=str) for name in ("lefts", "late-lefts"))
    rights, late_rights = (app.topic(name, key=str, value=int) for name in ("rights", "late-rights"))
    app.topology(lefts, rights, to=(late_lefts, late_rights))(topology)
    return TestDriver(app), [lefts, rights, late_lefts, late_rights]


@pytest.mark.parametrize("kind", ["join", "left_join", "outer_join", "semi_join"])
def test_late_records_dropped_come_out_by_side_as_they_came(kind: str) -> None:
    def topology(lefts: Stream[str, str], rights: Stream[str, int]) -> tuple[Stream[str, str], Stream[str, int]]:
        given: dict[str, Any] = {} if kind == "semi_join" else {"value": lambda left, right: f"{left}{right}"}
        joined = getattr(lefts, kind)(rights, within=("10ms", "20ms"), grace="5ms", late="drop", **given)
        return joined.late_left, joined.late_right

    driver, (lefts, rights, late_lefts, late_rights) = late_of(topology)
    with driver:
        driver.send(lefts, "on time", key="k", at=1_000)
        driver.send(lefts, "open", key="k", at=975)
        driver.send(rights, 1, key="k", at=985)
        driver.send(lefts, "late", key="k", at=974, headers=[("h", b"1")])
        driver.send(rights, 2, key="k", at=984)
        lates = [
            [(r.key, r.value, r.timestamp_ms, r.headers) for r in driver.records(t)] for t in (late_lefts, late_rights)
        ]
        assert [[(key, value, at) for key, value, at, _ in late] for late in lates] == [
            [("k", "late", 974)],
            [("k", 2, 984)],
        ]
        assert dict(lates[0][0][3]) == {"h": b"1"}
        assert sum(driver.dropped.values()) == 2


def test_late_records_of_a_side_are_one_stream_however_often_they_are_asked_for() -> None:
    def topology(lefts: Stream[str, str], rights: Stream[str, int]) -> tuple[Stream[str, str], Stream[str, int]]:
        joined = lefts.semi_join(rights, within="0ms", late="drop")
        assert joined.late_left is joined.late_left
        return joined.late_left, joined.late_right

    late_of(topology)[0].close()


def test_late_records_of_a_join_of_a_stream_with_itself_come_out_of_both_sides() -> None:
    app = App("itself")
    given, results = app.topic("given", key=str, value=str), app.topic("results", key=str, value=str)

    @app.topology(given, to=results)
    def topology(given: Stream[str, str]) -> Stream[str, str]:
        joined = given.join(given, value=text, within="0ms", late="drop")
        return joined.late_left.map(lambda v: f"left {v}").merge(joined.late_right.map(lambda v: f"right {v}"))

    with TestDriver(app) as driver:
        driver.send(given, "a", key="k", at=10)
        driver.send(given, "b", key="k", at=9)
        assert driver.read(results) == [("k", "left b"), ("k", "right b")]


def test_null_key_passes_at_once_on_outer_sides_only_and_null_values_never(join: Join) -> None:
    j = join("left_join", "10ms")
    j.send("L", None, "l", 1)
    j.send("R", None, "r", 2)
    j.send("L", "k", None, 3)
    assert j.read() == [(None, "l+null", 1)]
    assert j.driver.dropped == {("join", "null key or value"): 2}


def test_semi_join_passes_each_left_record_once_with_its_first_match(join: Join) -> None:
    j = join("semi_join", "10ms")
    j.send("L", "k", "waits", 5)
    j.send("L", "k", "alone", 20)
    j.send("R", "k", "r1", 8)
    j.send("R", "k", "r2", 9)
    j.send("L", "k", "finds", 12)
    assert j.read() == [("k", "waits", 8), ("k", "finds", 12)]
    assert len(j.driver.store("join-left")) == 1  # alone


def test_match_carries_headers_of_the_record_that_completed_it(join: Join) -> None:
    j = join("join", "10ms")
    j.send("L", "k", "l", 5, headers=[("from", b"left")])
    j.send("R", "k", "r", 5, headers=[("from", b"right")])
    assert [record.headers for record in j.driver.records(j.results)] == [[("from", b"right")]]


def test_stores_read_by_their_keys(join: Join) -> None:
    j = join("outer_join", "10ms")
    j.send("L", "k", "first", 5)
    j.send("L", "k", "second", 5)
    rows = j.driver.store("join-left").items()
    assert [(str(key), value) for key, value in rows] == [("k@5#0", "first"), ("k@5#1", "second")]
    assert j.driver.store("join-left")[rows[1][0]] == "second"
    assert [key for key, _ in j.driver.store("join-unmatched").items()] == [(5, 1, "k", 0), (5, 1, "k", 1)]


@pytest.mark.parametrize("backend", ["memory", "rocksdb"])
def test_state_of_idle_keys_expires(join: Join, backend: str) -> None:
    j = join("outer_join", "10ms", "10ms", {"backend": backend})
    for i in range(20):
        j.send("L", f"idle {i}", "l", i)
        j.send("R", f"idle {i}", "r", i)
    j.send("L", "busy", "l", 100_000)
    j.send("R", "busy", "r", 100_000)
    assert [len(j.driver.store(f"join-{part}")) for part in ("left", "right", "unmatched")] == [1, 1, 0]


def task_of(app: App) -> Task:
    sub = app.plan().sub_topologies[0]
    specs = [store.spec for store in sub.stores]
    task = Task(TaskId(0, 0), sub, TaskState(specs, MemoryBackend([spec.name for spec in specs])))
    task.enter(TaskPhase.RESTORING)
    task.enter(TaskPhase.RUNNING)
    return task


def outer_join() -> App:
    app = App("app")
    lefts = app.topic("lefts", key=str, value=str)
    rights = app.topic("rights", key=str, value=str)
    results = app.topic("results", key=str, value=str)

    @app.topology(lefts, rights, to=results)
    def join(lefts: Stream[str, str], rights: Stream[str, str]) -> Stream[str, str]:
        return lefts.outer_join(rights, value=text, within="10ms", grace="5ms", type=str)

    return app


def written(task: Task) -> list[tuple[bytes | None, int]]:
    return [row for output in task.take_outputs() for row in zip(output.values, output.timestamps, strict=True)]


def test_stream_time_that_moves_without_records_closes_windows_and_makes_records_late() -> None:
    task = task_of(outer_join())
    task.process(TopicPartition("lefts", 0), Records([b"a", b"b"], [b"la", b"lb"], [3, 9], [0, 1]))
    task.advance(18)
    assert written(task) == []
    task.advance(19)
    assert written(task) == [(b"la+null", 3)]
    task.process(TopicPartition("rights", 0), Records([b"c", b"d"], [b"rc", b"rd"], [3, 4], [0, 1]))
    assert written(task) == [(b"null+rc", 3)]  # late by the time that was told


def test_end_of_input_sends_all_that_waits_and_leaves_the_clock_where_that_needs_it() -> None:
    task = task_of(outer_join())
    task.process(TopicPartition("lefts", 0), Records([b"a", b"b"], [b"la", b"lb"], [3, 9], [0, 1]))
    task.finish({})
    assert written(task) == [(b"la+null", 3), (b"lb+null", 9)]
    task.process(TopicPartition("rights", 0), Records([b"c", b"d"], [b"rc", b"rd"], [9, 10], [0, 1]))
    assert written(task) == [(b"null+rc", 9)]  # 10 is still in time, 9 is not


def test_function_that_changes_what_it_is_given_changes_no_stored_row() -> None:
    app = App("app")
    lefts = app.topic("lefts", key=str, value=dict[str, int])
    rights = app.topic("rights", key=str, value=int)
    results = app.topic("results", key=str, value=dict[str, int])

    def put_in(left: dict[str, int], right: int) -> dict[str, int]:
        left[f"r{right}"] = right
        return left

    @app.topology(lefts, rights, to=results)
    def join(lefts: Stream[str, dict[str, int]], rights: Stream[str, int]) -> Stream[str, dict[str, int]]:
        return lefts.join(rights, value=put_in, within="10ms")

    with TestDriver(app) as driver:
        driver.send(lefts, {"l": 0}, key="k", at=0)
        driver.send(rights, 1, key="k", at=0)
        driver.send(rights, 2, key="k", at=0)
        assert [value for _, value in driver.read(results)] == [{"l": 0, "r1": 1}, {"l": 0, "r2": 2}]


# Source: KStreamKStreamSelfJoinTest#shouldMatchInnerJoinWithSelfJoinWithSingleStream.
def test_join_of_a_stream_with_itself_pairs_each_record_with_itself_too() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=str)
    results = app.topic("results", key=str, value=str)

    @app.topology(given, to=results)
    def join(given: Stream[str, str]) -> Stream[str, str]:
        return given.join(given, value=lambda left, right: left + right, within="100ms", type=str)

    for chunk in (1, 10):
        with TestDriver(app, chunk=chunk) as driver:
            for i, (key, value) in enumerate([("A", "1"), ("B", "1"), ("A", "2"), ("B", "2"), ("B", "3")], start=1):
                driver.send(given, value, key=key, at=i)
            assert [(r.key, r.value, r.timestamp_ms) for r in driver.records(results)] == [
                ("A", "11", 1), ("B", "11", 2),
                ("A", "21", 3), ("A", "12", 3), ("A", "22", 3),
                ("B", "21", 4), ("B", "12", 4), ("B", "22", 4),
                ("B", "31", 5), ("B", "32", 5), ("B", "13", 5), ("B", "23", 5), ("B", "33", 5),
            ]  # fmt: skip


def test_join_after_rekey_repartitions_and_meets_the_same_keys() -> None:
    app = App("app")
    orders = app.topic("orders", value=str, partitions=2)
    payments = app.topic("payments", key=str, value=str, partitions=3)
    paid = app.topic("paid", key=str, value=str)

    @app.topology(orders, payments, to=paid)
    def join(orders: Stream[None, str], payments: Stream[str, str]) -> Stream[str, str]:
        by_id = orders.rekey(lambda order: order.split()[0], key=str)
        return by_id.join(payments, value=text, within="1s")

    with TestDriver(app) as driver:
        for i in range(9):
            driver.send(payments, f"payment {i}", key=f"o{i}", at=0)
            driver.send(orders, f"o{i} order", at=0)
        assert sorted(driver.read(paid)) == [(f"o{i}", f"o{i} order+payment {i}") for i in range(9)]
