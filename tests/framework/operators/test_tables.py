"""Tables and their joins, where the recorded cases do not look: limits, restarts, ends of input, what is dropped."""

from typing import Any

import pytest

from framework import App, RecordError, Stream, Table, Windowed, tumbling
from framework.dsl import Topic
from framework.plan.topics import TopicSpec
from framework.testing import TestDriver


class One:
    """An app of one step from a table, or a stream, to a topic."""

    def __init__(
        self, declare: Any, given: Any = Stream[str, int], result: Any = Table[str, int], history: str | None = None
    ) -> None:
        self.app = app = App("one")
        self.rows = app.topic("rows", key=str, value=int, history=history)
        self.out = app.topic("out", key=result.__args__[0], value=result.__args__[1])

        def run(rows: Any) -> Any:
            return declare(rows)

        run.__annotations__ = {"rows": given}
        app.topology(self.rows, to=self.out)(run)


def suppressed(**options: Any) -> One:
    return One(lambda rows: rows.to_table().suppress(**options))


def test_suppress_that_may_not_emit_early_stops_at_the_record_that_is_too_much() -> None:
    one = suppressed(until="1m", max_records=2, when_full="stop")
    with TestDriver(one.app) as driver:
        for key in "aba":
            driver.send(one.rows, 1, key=key, at=0)
        with pytest.raises(RecordError, match=r"3 rows .* are held back, more than the limits allow"):
            driver.send(one.rows, 1, key="c", at=1)
        driver.send(one.rows, 1, key="d", at=60_000)
        assert driver.read(one.out) == [("a", 1), ("b", 1)]


def test_suppress_by_bytes_lets_the_oldest_go_early() -> None:
    one = suppressed(until="1m", max_bytes=50)
    with TestDriver(one.app) as driver:
        driver.send(one.rows, 1, key="first", at=5)
        assert driver.read(one.out) == []
        driver.send(one.rows, 1, key="older", at=2)
        assert driver.read(one.out) == [("older", 1)]


def test_suppressed_changes_survive_a_restart_with_their_places() -> None:
    one = suppressed(until="10ms")
    with TestDriver(one.app) as driver:
        driver.send(one.rows, 1, key="a", at=0)
        driver.send(one.rows, 2, key="b", at=5)
        driver.restart()
        driver.send(one.rows, 3, key="a", at=9)
        driver.send(one.rows, 9, key="c", at=10)
        assert [(r.key, r.value, r.timestamp_ms) for r in driver.records(one.out)] == [("a", 3, 9)]
        driver.restart()
        driver.send(one.rows, 9, key="c", at=15)
        assert driver.read(one.out) == [("a", 3), ("b", 2)]


def test_limit_of_suppress_counts_on_after_a_restart() -> None:
    one = suppressed(max_records=1)
    with TestDriver(one.app) as driver:
        driver.send(one.rows, 1, key="a", at=0)
        driver.restart()
        driver.send(one.rows, 2, key="b", at=5)
        assert driver.read(one.out) == [("a", 1)]


def test_suppressed_windows_come_out_at_the_end_of_a_batch() -> None:
    one = One(
        lambda rows: rows.group_by_key().window(tumbling("10ms", grace="0s")).count().suppress(until="window closes"),
        result=Table[Windowed[str], int],
    )
    outputs = one.app.batch({one.rows: [("b", 1, 1), ("a", 1, 3), ("a", 1, 4), ("a", 1, 12)]})
    assert [(str(key), n) for key, n in outputs[one.out]] == [("a@0/10", 2), ("b@0/10", 1), ("a@10/20", 1)]


def test_windows_of_one_commit_are_suppressed_to_one_final_result_each() -> None:
    one = One(
        lambda rows: rows.group_by_key().window(tumbling("10ms", grace="0s")).count().suppress(until="window closes"),
        result=Table[Windowed[str], int],
    )
    with TestDriver(one.app, chunk=100) as driver:
        for at in (1, 2, 11, 3, 12, 25):
            driver.send(one.rows, 1, key="a", at=at)
        assert [(str(key), n) for key, n in driver.read(one.out)] == [("a@0/10", 2), ("a@10/20", 2)]


def test_suppressed_change_replaces_what_went_on_before_it() -> None:
    one = One(lambda rows: rows.to_table().suppress(until="10ms").group_by(str).count())
    with TestDriver(one.app) as driver:
        for value, at in ((1, 0), (1, 10), (2, 11), (3, 12), (3, 21)):
            driver.send(one.rows, value, key="a", at=at)
        assert driver.table(one.out) == {"1": 0, "3": 1}


def test_filter_says_nothing_of_rows_that_never_passed_and_deletes_those_that_leave() -> None:
    one = One(lambda rows: rows.filter(lambda value: value > 1), given=Table[str, int])
    with TestDriver(one.app) as driver:
        for value in (1, 0, None, 2, 3, 1, 1):
            driver.send(one.rows, value, key="a")
        assert driver.read(one.out) == [("a", 2), ("a", 3), ("a", None)]


def test_table_with_history_counts_what_is_too_old_as_late() -> None:
    one = One(lambda rows: rows, given=Table[str, int], history="10ms")
    with TestDriver(one.app) as driver:
        driver.send(one.rows, 1, key="a", at=20)
        driver.send(one.rows, 2, key="b", at=9)
        driver.send(one.rows, 3, key=None, at=30)
        driver.send(one.rows, 4, key="b", at=10)
        assert driver.read(one.out) == [("a", 1), ("b", 4)]
        assert driver.dropped == {("run.rows", "late"): 1, ("run.rows", "null key or value"): 1}


def test_older_version_changes_the_past_and_not_the_table() -> None:
    one = One(lambda rows: rows, given=Table[str, int], history="10ms")
    with TestDriver(one.app) as driver:
        driver.send(one.rows, 1, key="a", at=20)
        driver.send(one.rows, 2, key="a", at=15)
        assert driver.read(one.out) == [("a", 1)]
        assert driver.store("run.rows")["a"] == 1
        assert driver.store("run.rows-history").items() == [(("a", 20), (2,))]


class Joined:
    """A stream joined with a table; the table's history is an hour."""

    def __init__(self, **options: Any) -> None:
        self.app = app = App("joined")
        self.clicks = app.topic("clicks", key=str, value=str)
        self.names = app.topic("names", key=str, value=str, history="1h")
        self.out = app.topic("out", key=str, value=str)

        @app.topology(self.clicks, self.names, to=self.out)
        def join(clicks: Stream[str, str], names: Table[str, str]) -> Stream[str, str]:
            return clicks.left_join(names, value=lambda click, name: f"{click} {name}", type=str, **options)


def test_waiting_records_keep_their_headers_and_survive_a_restart() -> None:
    joined = Joined(grace="10ms")
    with TestDriver(joined.app) as driver:
        driver.send(joined.clicks, "one", key="a", at=5, headers=[("trace", b"1"), ("none", None)])
        driver.send(joined.clicks, "two", key="a", at=5)
        driver.restart()
        driver.send(joined.names, "Ann", key="a", at=4)
        driver.send(joined.clicks, "three", key="a", at=15)
        assert [(r.value, r.timestamp_ms, list(r.headers)) for r in driver.records(joined.out)] == [
            ("one Ann", 5, [("trace", b"1"), ("none", None)]),
            ("two Ann", 5, []),
        ]


def test_record_later_than_the_grace_does_not_wait() -> None:
    joined = Joined(grace="10ms")
    with TestDriver(joined.app) as driver:
        driver.send(joined.clicks, "one", key="a", at=50)
        driver.send(joined.clicks, "late", key="a", at=39)
        assert driver.read(joined.out) == [("a", "late None")]


def test_waiting_records_come_out_at_the_end_of_a_batch() -> None:
    joined = Joined(grace="10ms")
    outputs = joined.app.batch({joined.clicks: [("a", "one", 5)], joined.names: [("a", "Ann", 4), ("a", "Anna", 6)]})
    assert outputs[joined.out] == [("a", "one Ann")]


def test_left_join_passes_records_without_key_and_drops_those_without_value() -> None:
    joined = Joined()
    with TestDriver(joined.app) as driver:
        driver.send(joined.clicks, "keyless", key=None)
        driver.send(joined.clicks, None, key="a")
        assert driver.read(joined.out) == [(None, "keyless None")]
        assert driver.dropped == {("join.left_join", "null key or value"): 1}


def test_row_whose_foreign_key_becomes_null_leaves_an_inner_join() -> None:
    app = App("foreign")
    orders, customers = app.topic("orders", key=str, value=str), app.topic("customers", key=str, value=str)
    out = app.topic("out", key=str, value=str)

    @app.topology(orders, customers, to=out)
    def join(orders: Table[str, str], customers: Table[str, str]) -> Table[str, str]:
        return orders.join(customers, on=lambda o: o if o != "?" else None, value=lambda o, name: name, type=str)

    with TestDriver(app) as driver:
        driver.send(customers, "Ann", key="c")
        driver.send(orders, "c", key="1")
        driver.send(orders, "?", key="1")
        driver.send(orders, "?", key="2")
        assert driver.read(out) == [("1", "Ann"), ("1", None)]
        assert driver.dropped == {("join.join-subscribe", "null foreign key"): 1}
        assert driver.store("join.join-subscriptions").items() == []


def test_answer_to_a_row_that_has_changed_since_is_stale_and_dropped() -> None:
    app = App("foreign")
    orders, customers = app.topic("orders", key=str, value=str), app.topic("customers", key=str, value=str)
    out = app.topic("out", key=str, value=str)

    @app.topology(orders, customers, to=out)
    def join(orders: Table[str, str], customers: Table[str, str]) -> Table[str, str]:
        return orders.join(customers, on=lambda o: o, value=lambda o, name: name, type=str)

    with TestDriver(app) as driver:
        driver.send(customers, "Ann", key="a")
        driver.send(customers, "Bob", key="b")
        driver.send(orders, "a", key="1")
        answers = "foreign-join.join-response-repartition"
        answer = driver._run.topics[answers].log[0].value
        driver.send(orders, "b", key="1")
        driver.send_bytes(Topic(TopicSpec(answers, str, bytes)), answer, key=b"1")
        assert driver.read(out) == [("1", "Ann"), ("1", "Bob")]
        assert driver.dropped == {("join.join", "stale answer"): 1}
