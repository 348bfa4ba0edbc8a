"""Windowed aggregations, case by case; that no cut changes them is the matter of the laws."""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, Record, Stream, Table, Topic, Windowed, hopping, session, sliding, tumbling, unlimited
from framework.testing import TestDriver

Drive = Callable[..., "Driven"]
KINDS = ["tumbling", "sliding", "session", "unlimited"]


class Driven:
    """An app with one windowed step named "step", over `given` (str → int), and its late records."""

    def __init__(self, declare: Callable[[Any], Any], value: Any, **options: Any) -> None:
        self.app = app = App("windows")
        self.given: Topic[str, int] = app.topic("given", key=str, value=int)
        self.results = app.topic("results", key=Windowed[str], value=value)
        self.late = app.topic("late", key=str, value=int)
        returned: Any = tuple[Table[Windowed[str], value], Stream[str, int]]

        @app.topology(self.given, to=(self.results, self.late))
        def windows(given: Stream[str, int]) -> returned:
            table = declare(given.group_by_key())
            return table, table.late

        self.driver = TestDriver(app, **options)
        self._seen = 0

    def send(self, *records: tuple[str, int | None, int]) -> list[str]:
        """Send keys, values and times; the new results in words."""
        for key, value, at in records:
            self.driver.send(self.given, value, key=key, at=at)
        rows = self.driver.records(self.results)[self._seen :]
        self._seen += len(rows)
        return [f"{r.key}={r.value}" for r in rows]

    def late_records(self) -> list[Record]:
        return self.driver.records(self.late)


@pytest.fixture
def drive() -> Any:
    opened: list[Driven] = []

    def start(declare: Callable[[Any], Any], value: Any = int, **options: Any) -> Driven:
        opened.append(Driven(declare, value, **options))
        return opened[-1]

    yield start
    for driven in opened:
        driven.driver.close()


# Windows of one size


def test_tumbling_record_at_window_end_opens_next_window(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("10ms", grace="0s")).count())
    assert driven.send(("a", 1, 0), ("a", 1, 9), ("a", 1, 10)) == ["a@0/10=1", "a@0/10=2", "a@10/20=1"]


def test_tumbling_offset_moves_windows_and_the_first_may_begin_before_the_epoch(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("10ms", offset="3ms", grace="0s")).count())
    assert driven.send(("a", 1, 2), ("a", 1, 3), ("a", 1, 13)) == ["a@-7/3=1", "a@3/13=1", "a@13/23=1"]


def test_tumbling_grace_takes_records_until_stream_time_reaches_end_and_grace(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("10ms", grace="5ms")).count())
    assert driven.send(("a", 1, 0), ("b", 1, 14), ("a", 1, 9), ("b", 1, 15), ("a", 1, 9)) == [
        "a@0/10=1",
        "b@10/20=1",
        "a@0/10=2",
        "b@10/20=2",
    ]


def test_late_record_goes_to_late_as_it_came_and_is_counted(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("10ms", grace="0s")).sum(name="step"))
    driven.send(("a", 1, 0), ("b", 1, 10))
    driven.driver.send(driven.given, 7, key="a", at=9, headers=[("trace", b"x")])
    (late,) = driven.late_records()
    assert (late.key, late.value, late.timestamp_ms, late.headers) == ("a", 7, 9, [("trace", b"x")])
    assert driven.driver.dropped == {("step", "late"): 1}


def test_null_key_or_value_is_counted_and_moves_no_time(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("10ms", grace="0s")).sum(name="step"))
    assert driven.send(("a", 1, 0), ("a", None, 100), ("a", 1, 1)) == ["a@0/10=1", "a@0/10=2"]
    assert driven.driver.dropped == {("step", "null key or value"): 1}


def test_hopping_record_late_for_some_windows_is_in_the_others_and_not_late(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(hopping("10ms", "5ms", grace="0s")).count(name="step"))
    assert driven.send(("a", 1, 10), ("a", 1, 6)) == ["a@5/15=1", "a@10/20=1", "a@5/15=2"]
    assert driven.late_records() == []
    assert driven.driver.dropped == {("step", "late for some of its windows"): 1}


def test_unlimited_window_holds_everything(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(unlimited()).sum())
    end = (1 << 63) - 1
    assert driven.send(("a", 1, 10**9), ("a", 2, 0)) == [f"a@0/{end}=1", f"a@0/{end}=3"]


# Final results


def test_final_results_come_by_end_then_key_when_another_key_moves_time(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("10ms", grace="5ms")).sum(emit="final"))
    assert driven.send(("b", 1, 3), ("a", 2, 12), ("a", 3, 4), ("B", 4, 5)) == []
    assert driven.send(("c", 9, 15)) == ["B@0/10=4", "a@0/10=3", "b@0/10=1"]
    assert driven.send(("c", 9, 24)) == []
    assert driven.send(("c", 9, 25)) == ["a@10/20=2", "c@10/20=9"]


def test_final_result_has_the_greatest_timestamp_of_its_records(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("10ms", grace="0s")).sum(emit="final"))
    driven.send(("a", 1, 7), ("a", 1, 2), ("a", 1, 10))
    assert [r.timestamp_ms for r in driven.driver.records(driven.results)] == [7]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        pytest.param(tumbling("10ms", grace="0s"), [("a@0/10", 3)], id="tumbling"),
        pytest.param(hopping("10ms", "5ms", grace="0s"), [("a@0/10", 3), ("a@5/15", 2)], id="hopping"),
        pytest.param(sliding("10ms", grace="0s"), [("a@0/10", 3), ("a@2/12", 2)], id="sliding"),
        pytest.param(session("10ms", grace="0s"), [("a@1/6", 3)], id="session"),
        pytest.param(unlimited(), [(f"a@0/{(1 << 63) - 1}", 3)], id="unlimited"),
    ],
)
def test_final_results_come_out_at_the_end_of_a_bounded_input(windows: Any, expected: list[Any]) -> None:
    app = App("batch")
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=Windowed[str], value=int)

    @app.topology(given, to=results)
    def sums(given: Stream[str, int]) -> Table[Windowed[str], int]:
        return given.group_by_key().window(windows).sum(emit="final")

    found = app.batch({given: [("a", 1, 1), ("a", 2, 6)]})[results]
    assert [(str(key), value) for key, value in found] == expected


@pytest.mark.parametrize(
    "windows",
    [tumbling("10ms", grace="0s"), sliding("10ms", grace="0s"), session("10ms", grace="0s"), unlimited()],
    ids=KINDS,
)
def test_after_the_end_of_input_what_was_open_is_closed(drive: Drive, windows: Any) -> None:
    driven = drive(lambda grouped: grouped.window(windows).sum(emit="final"))
    driven.send(("a", 1, 1))
    for task in driven.driver._run.tasks.values():
        task.finish({})
        driven.driver._run._outputs += task.take_outputs()
    assert len(driven.send(("a", 2, 1))) == 1  # only what came out at the end
    assert [r.value for r in driven.late_records()] == [2]


def test_stream_time_that_moves_without_records_closes_windows(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("10ms", grace="0s")).sum(emit="final"))
    driven.send(("a", 1, 1))
    (task,) = driven.driver._run.tasks.values()
    task.advance(11)
    assert task.take_outputs() == []
    task.advance(12)
    assert [len(output) for output in task.take_outputs()] == [1]


# Sessions


def test_session_joins_at_a_silence_of_the_gap_and_not_above(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("5ms", grace="0s")).sum())
    assert driven.send(("a", 1, 0), ("a", 2, 5)) == ["a@0/0=1", "a@0/0=None", "a@0/5=3"]
    assert driven.send(("a", 4, 11)) == ["a@11/11=4"]


def test_session_result_is_stamped_with_its_end_also_after_an_older_record(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("5ms", grace="0s")).sum())
    driven.send(("a", 1, 4), ("a", 2, 0))
    assert [r.timestamp_ms for r in driven.driver.records(driven.results)] == [4, 4, 4]


def test_session_of_two_gaps_ago_is_still_joined_and_an_older_one_is_not(drive: Drive) -> None:
    declare = lambda grouped: grouped.window(session("4ms", grace="9ms")).count()
    assert drive(declare).send(("a", 1, 0), ("b", 1, 21), ("a", 1, 8), ("a", 1, 4))[-3:] == [
        "a@0/0=None",
        "a@8/8=None",
        "a@0/8=3",
    ]
    assert drive(declare).send(("a", 1, 0), ("b", 1, 22), ("a", 1, 9), ("a", 1, 5))[-2:] == ["a@9/9=None", "a@5/9=2"]


def test_final_session_is_not_joined_any_more(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("5ms", grace="0s")).sum(emit="final"))
    assert driven.send(("a", 1, 0), ("b", 2, 6), ("a", 4, 5)) == ["a@0/0=1"]
    assert driven.send(("b", 8, 20)) == ["a@5/5=4", "b@6/6=2"]


def test_session_gap_of_each_value(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session(lambda value: f"{value}ms")).count())
    assert driven.send(("a", 3, 0), ("a", 1, 3), ("a", 9, 5)) == [
        "a@0/0=1",
        "a@0/0=None",
        "a@0/3=2",
        "a@5/5=1",
    ]


def test_session_that_would_be_too_long_ends_and_the_record_opens_the_next(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("5ms", max_length="8ms", grace="0s")).count())
    assert driven.send(("a", 1, 0), ("a", 1, 4), ("a", 1, 8), ("a", 1, 9), ("a", 1, 10))[-4:] == [
        "a@0/8=3",
        "a@9/9=1",
        "a@9/9=None",
        "a@9/10=2",
    ]


@pytest.mark.parametrize("emit", ["changes", "final", "complete"])
def test_session_is_looked_at_when_it_may_close_however_it_is_emitted(drive: Drive, emit: Any) -> None:
    driven = drive(lambda grouped: grouped.window(session("5ms", grace="0s")).count(name="step", emit=emit))
    driven.send(("a", 1, 0), ("a", 1, 4), ("b", 1, 8))
    expected = ["a@5", "b@13"] if emit == "complete" else ["a@9", "b@13"]  # the whole table needs no looks
    assert [str(due) for due in driven.driver.store("step.due")] == expected


def test_busy_session_writes_one_note_per_gap(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("100ms", grace="0s")).count(name="step"))
    driven.send(*[("a", 1, at) for at in range(0, 100, 5)])
    assert len(driven.driver.records("windows-step.due-changelog")) == 1


# Stores and what follows


def test_store_is_read_by_windowed_key(drive: Drive) -> None:
    for windows, key in (
        (tumbling("10ms", grace="0s"), Windowed("a", 0, 10)),
        (session("10ms", grace="0s"), Windowed("a", 3, 8)),
        (sliding("10ms", grace="0s"), Windowed("a", 0, 10)),
    ):
        driven = drive(lambda grouped, windows=windows: grouped.window(windows).sum(name="step"))
        driven.send(("a", 1, 3), ("a", 2, 8))
        store = driven.driver.store("step")
        assert store[key] == 3
        assert key in list(store)


def test_closed_windows_leave_the_store(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(tumbling("60s", grace="0s")).count(name="step"), backend="rocksdb")
    driven.send(("a", 1, 0), ("a", 1, 60_000), ("a", 1, 300_000))
    assert [str(key) for key in driven.driver.store("step")] == ["a@300000/360000"]


def test_forgotten_sessions_leave_the_store_without_a_tombstone_downstream(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("5ms", grace="0s")).count(name="step"))
    assert driven.send(("a", 1, 0), ("b", 1, 100)) == ["a@0/0=1", "b@100/100=1"]
    assert [str(key) for key in driven.driver.store("step")] == ["b@100/100"]


def test_windows_grouped_anew_are_counted_by_another_key() -> None:
    app = App("again")
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=int, value=int)

    @app.topology(given, to=results)
    def again(given: Stream[str, int]) -> Table[int, int]:
        sums = given.group_by_key().window(tumbling("10ms", grace="0s")).sum(emit="final").to_stream()
        return sums.map_items(lambda key, total: (key.start, total), key=int, type=int).group_by_key().sum()

    with TestDriver(app) as driver:
        for key, value, at in [("a", 1, 0), ("b", 2, 3), ("a", 4, 10), ("a", 0, 20)]:
            driver.send(given, value, key=key, at=at)
        assert driver.table(results) == {0: 3, 10: 4}


def test_table_of_windows_can_be_grouped_as_a_table() -> None:
    app = App("grouped")
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=int, value=int)

    @app.topology(given, to=results)
    def grouped(given: Stream[str, int]) -> Table[int, int]:
        counts = given.group_by_key().window(session("5ms", grace="0s")).count()
        return counts.group_by(lambda n: n, key=int).count()

    with TestDriver(app) as driver:
        for at in (0, 3, 20):
            driver.send(given, 1, key="a", at=at)
        assert driver.table(results) == {1: 1, 2: 1}


# Aggregations


@pytest.mark.parametrize(
    ("declare", "value", "expected"),
    [
        pytest.param(lambda w: w.min(), int, 1, id="min"),
        pytest.param(lambda w: w.min(lambda v: -v), int, -4, id="min of"),
        pytest.param(lambda w: w.max(), int, 4, id="max"),
        pytest.param(lambda w: w.max(lambda v: -v), int, -1, id="max of"),
        pytest.param(lambda w: w.sum(lambda v: v / 2, type=float), float, 5.0, id="sum of"),
        pytest.param(lambda w: w.mean(), float, 2.5, id="mean"),
        pytest.param(lambda w: w.mean(lambda v: v * 0.5), float, 1.25, id="mean of"),
        pytest.param(lambda w: w.collect(), list[int], [3, 1, 4, 2], id="collect"),
        pytest.param(lambda w: w.collect(max=3), list[int], [3, 1, 4], id="collect at most"),
        pytest.param(lambda w: w.collect(str), list[str], ["3", "1", "4", "2"], id="collect of"),
        pytest.param(lambda w: w.approx_distinct(), int, 4, id="approx_distinct"),
        pytest.param(lambda w: w.approx_distinct(lambda v: v % 2), int, 2, id="approx_distinct of"),
        pytest.param(lambda w: w.reduce(lambda a, b: 10 * a + b), int, 3142, id="reduce"),
        pytest.param(lambda w: w.count(), int, 4, id="count"),
    ],
)
@pytest.mark.parametrize(
    "windows", [tumbling("1s", grace="0s"), sliding("1s", grace="0s"), session("1s", grace="0s")], ids=KINDS[:3]
)
def test_aggregation_of_four_values_survives_a_restart(
    drive: Drive, declare: Any, value: Any, expected: Any, windows: Any
) -> None:
    driven = drive(lambda grouped: declare(grouped.window(windows)), value)
    for i, number in enumerate([3, 1, 4, 2]):
        driven.send(("a", number, i))
        driven.driver.restart()
    present = {str(k): v for k, v in driven.driver.table(driven.results).items()}
    assert present["a@0/3" if windows == session("1s", grace="0s") else "a@0/1000"] == expected


def test_mean_keeps_sum_and_number_and_gives_the_mean() -> None:
    app = App("mean")
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=str, value=float)

    @app.topology(given, to=results)
    def mean(given: Stream[str, int]) -> Table[str, float]:
        return given.group_by_key().mean()

    with TestDriver(app) as driver:
        driver.send(given, 1, key="a")
        driver.send(given, 2, key="a")
        assert driver.read(results) == [("a", 1.0), ("a", 1.5)]
        assert driver.store("mean.mean")["a"] == (3, 2)


def test_approx_distinct_is_off_by_little_and_the_same_after_a_restart() -> None:
    app = App("distinct")
    given = app.topic("given", key=str, value=str)
    results = app.topic("results", key=str, value=int)

    @app.topology(given, to=results)
    def distinct(given: Stream[str, str]) -> Table[str, int]:
        return given.group_by_key().approx_distinct()

    with TestDriver(app, chunk=1000) as driver:
        for i in range(6000):
            driver.send(given, f"v{i % 3000}", key="a")
            if i == 4000:
                driver.read(results)
                driver.restart()
        ((_, found),) = driver.table(results).items()
        assert abs(found - 3000) < 150


# The whole table


def test_complete_gives_the_whole_table_at_each_commit_that_changed_it() -> None:
    app = App("whole")
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=str, value=int)

    @app.topology(given, to=results)
    def whole(given: Stream[str, int]) -> Table[str, int]:
        return given.group_by_key().sum(emit="complete")

    with TestDriver(app) as driver:
        driver.send(given, 1, key="b")
        assert driver.read(results) == [("b", 1)]
        driver.send(given, 2, key="a")
        assert driver.read(results) == [("a", 2), ("b", 1)]
        driver.send(given, None, key="a")
        assert driver.read(results) == []


def test_complete_shows_closed_windows_for_ever(drive: Drive) -> None:
    driven = drive(lambda grouped: grouped.window(session("5ms", grace="0s")).sum(emit="complete"))
    assert driven.send(("a", 1, 0)) == ["a@0/0=1"]
    assert driven.send(("a", 2, 500_000)) == ["a@0/0=1", "a@500000/500000=2"]


# Cogroup


class Shop:
    """Orders and refunds of customers, folded into one balance."""

    def __init__(self, windows: Any, **options: Any) -> None:
        self.app = app = App("shop")
        self.orders: Topic[str, int] = app.topic("orders", key=str, value=int)
        self.refunds: Topic[str, str] = app.topic("refunds", key=str, value=str)
        self.balances = app.topic("balances", key=Windowed[str], value=int)
        self.late = app.topic("late", key=str, value=bytes)

        @app.topology(self.orders, self.refunds, to=self.balances)
        def balance(orders: Stream[str, int], refunds: Stream[str, str]) -> Table[Windowed[str], int]:
            bought, returned = orders.group_by_key(), refunds.group_by_key()
            functions: Any = {bought: lambda total, v: total + v, returned: lambda total, text: total - int(text)}
            return bought.window(windows).cogroup(functions, initial=0, **options)


@pytest.mark.parametrize(
    ("windows", "options", "window"),
    [
        pytest.param(tumbling("10ms", grace="0s"), {}, (0, 10), id="tumbling"),
        pytest.param(sliding("10ms", grace="0s"), {}, (0, 10), id="sliding"),
        pytest.param(session("10ms", grace="0s"), {"merge": lambda a, b: a + b}, (1, 3), id="session"),
        pytest.param(session(lambda _: "10ms"), {"merge": lambda a, b: a + b}, (1, 3), id="session of gaps"),
    ],
)
def test_cogroup_in_windows_gives_each_value_to_the_function_of_its_input(
    windows: Any, options: Any, window: tuple[int, int]
) -> None:
    shop = Shop(windows, **options)
    with TestDriver(shop.app) as driver:
        driver.send(shop.orders, 10, key="a", at=1)
        driver.send(shop.refunds, "4", key="a", at=2)
        driver.restart()
        driver.send(shop.orders, 1, key="a", at=3)
        assert driver.table(shop.balances)[Windowed("a", *window)] == 7


def test_cogroup_late_record_keeps_its_own_value() -> None:
    app = App("late")
    first = app.topic("first", key=str, value=int)
    second = app.topic("second", key=str, value=int)
    late = app.topic("late", key=str, value=int)

    @app.topology(first, second, to=late)
    def sums(first: Stream[str, int], second: Stream[str, int]) -> Stream[str, int]:
        one, other = first.group_by_key(), second.group_by_key()
        functions: Any = {one: lambda s, v: s + v, other: lambda s, v: s - v}
        return one.window(tumbling("10ms", grace="0s")).cogroup(functions, initial=0).late

    with TestDriver(app) as driver:
        driver.send(first, 1, key="a", at=20)
        driver.send(second, 2, key="a", at=3)
        assert driver.read(late) == [("a", 2)]


def test_failing_function_leaves_no_trace_in_windows(drive: Drive) -> None:
    def refuse(state: list[int], value: int) -> list[int]:
        state.append(value)
        if value == 13:
            raise ValueError("13 brings bad luck")
        return state

    for windows in (tumbling("10ms", grace="0s"), sliding("10ms", grace="0s"), session("10ms", grace="0s")):
        options: Any = {"merge": lambda a, b: a + b} if windows == session("10ms", grace="0s") else {}
        driven = drive(
            lambda grouped, w=windows, o=options: grouped.window(w).aggregate(list, refuse, type=list[int], **o),
            list[int],
            chunk=10,
        )
        for value in (1, 13, 2):
            driven.driver.send(driven.given, value, key="a", at=5)
        with pytest.raises(Exception, match="13 brings bad luck"):
            driven.driver.records(driven.results)
        assert next(iter(driven.driver.table(driven.results).values())) == [1, 2]
