"""Every verb of streams, tables, groups and windows, with every argument that the description of the language names."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from framework import (
    App,
    Context,
    GlobalTable,
    Processor,
    Stream,
    Table,
    ValueState,
    Windowed,
    hopping,
    session,
    sliding,
    tumbling,
    unlimited,
)
from framework.testing import TestDriver

Sent = tuple[Any, ...]


class Program:
    """A topology over topics a, b and c (texts by text), and what it writes to `out`, as texts."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.app = App("verbs", **options)
        self.topics: dict[str, Any] = {name: self.app.topic(name, key=str, value=str) for name in "abc"}
        self.out: Any = self.app.topic("out", key=str, value=Any)
        sources = [self.topics[name] for name in function.__code__.co_varnames[: function.__code__.co_argcount]]

        def build(*given: Any) -> None:
            result = function(*given)
            stream = result if isinstance(result, Stream) else result.to_stream()
            stream.map_items(lambda k, v: (str(k), v), key=str).to(self.out)

        build.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]  # what topology() reads
        build.__annotations__ = {**function.__annotations__, "return": None}
        self.app.topology(*sources, name="t")(build)

    def run(self, *records: Sent, **options: Any) -> list[tuple[str, Any]]:
        """Key and value of what comes out of records (topic, key, value, time in ms)."""
        with TestDriver(self.app, **options) as driver:
            for topic, key, value, at in records:
                driver.send(self.topics[topic], value, key=key, at=at)
            return [(record.key, record.value) for record in driver.records(self.out)]


def out(function: Callable[..., Any], *records: Sent, **options: Any) -> list[tuple[str, Any]]:
    return Program(function, **options).run(*records)


AB = ("a", "k", "x", 0), ("a", "k", "y", 1), ("a", "j", "x", 2)


# Streams


def test_values_map_flat_map_filter_peek() -> None:
    seen: list[str] = []

    def t(a: Stream[str, str]) -> Any:
        named = (
            a.map(str.upper, name="up").flat_map(lambda v: [v, v], name="twice").filter(lambda v: v != "Y", name="f")
        )
        return named.peek(seen.append, name="look")

    assert out(t, *AB) == [("k", "X"), ("k", "X"), ("j", "X"), ("j", "X")]
    assert seen == ["X"] * 4


def test_items_map_flat_map_filter() -> None:
    def t(a: Stream[str, str]) -> Any:
        swapped = a.map_items(lambda k, v: (v, k), name="swap").filter_items(lambda k, v: k != "y", name="f")
        return swapped.flat_map_items(lambda k, v: [(k, v), (k, k)], name="flat")

    assert out(t, *AB) == [("x", "k"), ("x", "x"), ("x", "j"), ("x", "x")]


def test_rekey_and_for_each() -> None:
    seen: list[str] = []

    def t(a: Stream[str, str]) -> Any:
        a.for_each(seen.append, name="each")
        return a.rekey(lambda v: v, name="by-value")

    assert out(t, *AB) == [("x", "x"), ("y", "y"), ("x", "x")]
    assert seen == ["x", "y", "x"]


def test_merge_and_branch_first_match_wins() -> None:
    def t(a: Stream[str, str], b: Stream[str, str], c: Stream[str, str]) -> Any:
        x, not_z, rest = a.merge(b, c, name="all").branch(
            lambda v: v == "x", lambda v: v != "z", otherwise=True, name="parts"
        )
        return x.map(lambda v: "first").merge(not_z.map(lambda v: "second"), rest.map(lambda v: "rest"))

    assert out(t, ("a", "k", "x", 0), ("b", "k", "y", 1), ("c", "k", "z", 2)) == [
        ("k", "first"),
        ("k", "second"),
        ("k", "rest"),
    ]


def test_branch_without_otherwise_drops_the_rest() -> None:
    def t(a: Stream[str, str]) -> Any:
        xs, ys = a.branch(lambda v: v == "x", lambda v: v == "y")
        return xs.merge(ys)

    assert out(t, *AB, ("a", "k", "z", 9)) == [("k", "x"), ("k", "y"), ("j", "x")]


def test_to_a_topic_and_to_one_that_a_function_chooses() -> None:
    app = App("to")
    given = app.topic("given", key=str, value=int)
    even = app.topic("even", key=str, value=int)
    odd = app.topic("odd", key=str, value=int)
    all_of_them = app.topic("all", key=str, value=int)

    @app.topology(given)
    def t(given: Stream[str, int]) -> None:
        given.to(all_of_them, name="everything")
        given.to(lambda n: odd if n % 2 else even, topics=(even, odd), name="chosen")

    with TestDriver(app) as driver:
        for number in range(3):
            driver.send(given, number, key="k")
        assert [v for _, v in driver.read(even)] == [0, 2]
        assert [v for _, v in driver.read(odd)] == [1]
        assert [v for _, v in driver.read(all_of_them)] == [0, 1, 2]


def test_to_table_repartition_and_process() -> None:
    class Numbered(Processor[str, str, str]):
        seen = ValueState(int, default=0)

        def process(self, value: str, ctx: Context[str]) -> str:
            self.seen.set(self.seen.get() + 1)
            return f"{value}{self.seen.get()}"

    def t(a: Stream[str, str]) -> Any:
        spread = a.repartition(partitions=3, name="spread")
        return spread.process(Numbered, name="numbered").to_table(name="kept").to_stream(name="changes")

    assert out(t, *AB) == [("k", "x1"), ("k", "y2"), ("j", "x1")]


def test_deduplicate_within_a_time_that_repeats_do_not_make_longer() -> None:
    def t(a: Stream[str, str]) -> Any:
        return a.deduplicate(lambda v: v[0], within="10s", name="once")

    given = [("a", "k", "a1", 0), ("a", "k", "a2", 9_999), ("a", "k", "a3", 10_000), ("a", "k", "b1", 10_000)]
    assert out(t, *given) == [("k", "a1"), ("k", "a3"), ("k", "b1")]


def test_limit_rate() -> None:
    def t(a: Stream[str, str]) -> Any:
        return a.limit_rate(1, per="10s", name="calm")

    assert out(t, *AB, ("a", "k", "z", 10_000)) == [("k", "x"), ("j", "x"), ("k", "z")]


def test_with_timestamps_and_with_headers() -> None:
    def t(a: Stream[str, str]) -> Any:
        return a.with_timestamps(lambda v: 7, name="times").with_headers(lambda v: {"of": v}, name="heads")

    program = Program(t)
    with TestDriver(program.app) as driver:
        driver.send(program.topics["a"], "x", key="k", at=1, headers=[("h", b"1")])
        [record] = driver.records(program.out)
        assert (record.timestamp, dict(record.headers)) == (7, {"h": b"1", "of": b"x"})


# Joins


def pair(left: object, right: object) -> str:
    return f"{left}+{right}"


L, R = ("a", "k", "l", 10_000), ("b", "k", "r", 12_000)
LATER = ("a", "j", "z", 100_000)


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("join", [("k", "l+r")]),
        ("left_join", [("k", "l+r")]),
        ("outer_join", [("k", "l+r")]),
        ("semi_join", [("k", "l")]),
    ],
)
def test_stream_joins_stream_within_a_time(verb: str, expected: list[Any]) -> None:
    def t(a: Stream[str, str], b: Stream[str, str]) -> Any:
        how = {} if verb == "semi_join" else {"value": pair}
        return getattr(a, verb)(b, within="5m", grace="1m", name="pairs", **how)

    assert out(t, L, R) == expected


@pytest.mark.parametrize(
    ("within", "matches"),
    [
        (("0s", "2s"), True),
        (("2s", "0s"), False),
        ((timedelta(0), timedelta(seconds=2)), True),
        (("0s", "1999ms"), False),
    ],
)
def test_within_is_before_and_after_the_left_record(within: Any, matches: bool) -> None:
    def t(a: Stream[str, str], b: Stream[str, str]) -> Any:
        return a.join(b, within=within, grace="0s", value=pair)

    assert out(t, L, R) == ([("k", "l+r")] if matches else [])


def test_unmatched_rows_of_an_outer_join_come_after_their_window() -> None:
    def t(a: Stream[str, str], b: Stream[str, str]) -> Any:
        return a.outer_join(b, within="1s", grace="1s", value=pair)

    assert out(t, L, R, LATER) == [("k", "l+None"), ("k", "None+r")]


@pytest.mark.parametrize(("verb", "expected"), [("join", ["l+r"]), ("left_join", ["l+None", "l+r"])])
def test_stream_joins_table(verb: str, expected: list[str]) -> None:
    def t(a: Stream[str, str], b: Table[str, str]) -> Any:
        return getattr(a, verb)(b, value=pair, name="enriched")

    assert [v for _, v in out(t, L, R, L)] == expected


@pytest.mark.parametrize(("verb", "expected"), [("join", ["l+r"]), ("left_join", ["l+r", "x+None"])])
def test_stream_joins_global_table_by_any_key(verb: str, expected: list[str]) -> None:
    def t(a: Stream[str, str], b: GlobalTable[str, str]) -> Any:
        return getattr(a, verb)(b, key=lambda v: v, value=pair, name="looked-up")

    assert [v for _, v in out(t, ("b", "l", "r", 0), L, ("a", "k", "x", 20_000))] == expected


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("join", [("k", "l+r"), ("k", None)]),
        ("left_join", [("k", "l+None"), ("k", "l+r"), ("k", None)]),
        ("outer_join", [("k", "l+None"), ("k", "l+r"), ("k", "None+r")]),
    ],
)
def test_table_joins_table(verb: str, expected: list[Any]) -> None:
    def t(a: Table[str, str], b: Table[str, str]) -> Any:
        return getattr(a, verb)(b, value=pair, name="both")

    assert out(t, L, R, ("a", "k", None, 13_000)) == expected


@pytest.mark.parametrize(
    ("verb", "expected"), [("join", [("o", "anna+Anna")]), ("left_join", [("o", "anna+None"), ("o", "anna+Anna")])]
)
def test_table_joins_table_by_foreign_key(verb: str, expected: list[Any]) -> None:
    def t(a: Table[str, str], b: Table[str, str]) -> Any:
        return getattr(a, verb)(b, on=lambda order: order, value=pair, name="orders")

    assert out(t, ("a", "o", "anna", 0), ("b", "anna", "Anna", 1)) == expected


# Tables


def test_table_map_filter_to_stream_to() -> None:
    def t(a: Table[str, str]) -> Any:
        short = a.map(str.upper, name="up").filter(lambda v: v != "Y", name="not-y")
        return short.to_stream(name="changes")

    assert out(t, *AB) == [("k", "X"), ("k", None), ("j", "X")]


def test_grouped_table_reduce_takes_out_what_was() -> None:
    def t(a: Table[str, str]) -> Any:
        numbers = a.map(int, type=int)
        return numbers.group_by(lambda n: n % 2, key=int, name="parity").reduce(
            lambda old, new: old + new, lambda old, gone: old - gone, name="sums"
        )

    assert out(t, ("a", "k", "2", 0), ("a", "j", "4", 1), ("a", "k", "6", 2)) == [("0", 2), ("0", 6), ("0", 10)]


def test_grouped_table_aggregate_count_and_sum() -> None:
    def aggregated(a: Table[str, str]) -> Any:
        return a.group_by(lambda v: v).aggregate(
            list, lambda state, v: [*state, v], lambda state, v: state[1:], name="lists", type=list[str]
        )

    assert out(aggregated, *AB) == [("x", ["x"]), ("x", []), ("y", ["y"]), ("x", ["x"])]

    def counted(a: Table[str, str]) -> Any:
        return a.group_by(lambda v: v).count(name="counts")

    assert out(counted, *AB) == [("x", 1), ("x", 0), ("y", 1), ("x", 1)]

    def summed(a: Table[str, str]) -> Any:
        return a.group_by(lambda v: "all").sum(len, name="sums")

    assert out(summed, *AB) == [("all", 1), ("all", 1), ("all", 2)]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"until": "10s"}, [("k", "y"), ("j", "x")]),
        ({"until": timedelta(seconds=10)}, [("k", "y"), ("j", "x")]),
        ({"max_records": 1}, [("k", "y"), ("j", "x")]),
        ({"max_records": 1, "when_full": "emit"}, [("k", "y"), ("j", "x")]),
        ({"until": "10s", "max_bytes": 1_000, "when_full": "stop"}, [("k", "y"), ("j", "x")]),
        ({"max_bytes": 1}, [("k", "x"), ("k", "y"), ("j", "x"), ("z", "z")]),
    ],
    ids=str,
)
def test_suppress_until_a_time_or_a_limit(limits: dict[str, Any], expected: list[Any]) -> None:
    def t(a: Table[str, str]) -> Any:
        return a.suppress(**limits, name="calm")

    assert out(t, *AB, ("a", "z", "z", 20_000)) == expected


def test_suppress_until_the_window_closes() -> None:
    def t(a: Stream[str, str]) -> Any:
        return a.group_by_key().window(tumbling("10s", grace="5s")).count().suppress(until="window closes")

    assert out(t, *AB, ("a", "z", "z", 14_999)) == []
    assert out(t, *AB, ("a", "z", "z", 15_000)) == [("j@0/10000", 1), ("k@0/10000", 2)]


# Aggregations

GROUPED: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "count": (lambda g: g.count(name="n"), [1, 2, 3]),
    "sum": (lambda g: g.sum(name="n"), [3, 4, 9]),
    "sum of": (lambda g: g.sum(lambda n: 2 * n, type=int, name="n"), [6, 8, 18]),
    "min": (lambda g: g.min(name="n"), [3, 1, 1]),
    "min of": (lambda g: g.min(lambda n: -n, name="n"), [-3, -3, -5]),
    "max": (lambda g: g.max(name="n"), [3, 3, 5]),
    "max of": (lambda g: g.max(lambda n: -n, name="n"), [-3, -1, -1]),
    "mean": (lambda g: g.mean(name="n"), [3.0, 2.0, 3.0]),
    "mean of": (lambda g: g.mean(lambda n: 2.0 * n, name="n"), [6.0, 4.0, 6.0]),
    "collect": (lambda g: g.collect(name="n"), [[3], [3, 1], [3, 1, 5]]),
    "collect at most": (lambda g: g.collect(max=2, name="n"), [[3], [3, 1], [3, 1]]),
    "approx_distinct": (lambda g: g.approx_distinct(name="n"), [1, 2, 3]),
    "reduce": (lambda g: g.reduce(lambda old, new: 10 * old + new, name="n"), [3, 31, 315]),
    "aggregate from a value": (lambda g: g.aggregate(1, lambda s, n: s + n, name="n"), [4, 5, 10]),
    "aggregate from a class": (lambda g: g.aggregate(list, lambda s, n: [*s, n], name="n"), [[3], [3, 1], [3, 1, 5]]),
}  # fmt: skip


@pytest.mark.parametrize(("aggregate", "expected"), GROUPED.values(), ids=GROUPED)
@pytest.mark.parametrize("windowed", [False, True], ids=["plain", "windowed"])
def test_aggregation(aggregate: Callable[[Any], Any], expected: list[Any], windowed: bool) -> None:
    def t(a: Stream[str, str]) -> Any:
        grouped: Any = a.map(int, type=int).group_by_key()
        return aggregate(grouped.window(tumbling("1m")) if windowed else grouped)

    result = out(t, ("a", "k", "3", 0), ("a", "k", "1", 1), ("a", "k", "5", 2))
    assert result == [("k@0/60000" if windowed else "k", value) for value in expected]


@pytest.mark.parametrize("windowed", [False, True], ids=["plain", "windowed"])
def test_cogroup_one_state_from_several_inputs(windowed: bool) -> None:
    def t(a: Stream[str, str], b: Stream[str, str]) -> Any:
        first, second = a.group_by_key(), b.group_by_key()
        receiver: Any = first.window(tumbling("1m")) if windowed else first
        return receiver.cogroup(
            {first: lambda s, v: f"{s}a{v}", second: lambda s, v: f"{s}b{v}"}, initial="", name="both"
        )

    key = "k@0/60000" if windowed else "k"
    assert out(t, ("a", "k", "1", 0), ("b", "k", "2", 1)) == [(key, "a1"), (key, "a1b2")]


# Windows

WINDOWS: dict[str, tuple[Any, list[str]]] = {
    "tumbling": (tumbling("10s"), ["k@10000/20000"]),
    "tumbling offset grace": (tumbling("10s", offset="2s", grace="1s"), ["k@12000/22000"]),
    "hopping": (hopping("10s", "5s", grace="1s"), ["k@5000/15000", "k@10000/20000"]),
    "hopping offset": (hopping("10s", advance="5s", offset="1s"), ["k@6000/16000", "k@11000/21000"]),
    "sliding": (sliding("10s", grace="1s"), ["k@2000/12000"]),
    "session": (session("10s", grace="1s", max_length="1h"), ["k@12000/12000"]),
    "unlimited": (unlimited(), ["k@0/9223372036854775807"]),
    "timedelta": (tumbling(timedelta(seconds=10), grace=timedelta(seconds=1)), ["k@10000/20000"]),
}


@pytest.mark.parametrize(("windows", "expected"), WINDOWS.values(), ids=WINDOWS)
def test_windows_print_as_key_start_end(windows: Any, expected: list[str]) -> None:
    def t(a: Stream[str, str]) -> Any:
        return a.group_by_key().window(windows).count()

    assert out(t, ("a", "k", "v", 12_000)) == [(key, 1) for key in expected]


def test_windowed_key_has_key_start_and_end() -> None:
    app = App("attributes")
    given = app.topic("given", key=str, value=str)
    results = app.topic("results", key=Windowed[str], value=int)

    @app.topology(given, to=results)
    def t(given: Stream[str, str]) -> Table[Windowed[str], int]:
        return given.group_by_key().window(tumbling("1m")).count()

    with TestDriver(app) as driver:
        driver.send(given, "x", key="k", at=61_000)
        [(window, count)] = driver.read(results)
        assert (window.key, window.start, window.end, count) == ("k", 60_000, 120_000, 1)
        assert str(window) == "k@60000/120000"
        assert driver.table(results) == {Windowed("k", 60_000, 120_000): 1}


def test_session_aggregate_merges() -> None:
    def t(a: Stream[str, str]) -> Any:
        sessions = a.group_by_key().window(session("5s", grace="1m"))
        return sessions.aggregate("", lambda s, v: s + v, merge=lambda left, right: left + right, emit="changes")

    given = [("a", "k", "1", 0), ("a", "k", "2", 8_000), ("a", "k", "3", 4_000)]
    assert out(t, *given) == [
        ("k@0/0", "1"),
        ("k@8000/8000", "2"),
        ("k@0/0", None),
        ("k@8000/8000", None),
        ("k@0/8000", "123"),
    ]


@dataclass
class Stats:
    """A state with a method that adds."""

    count: int = 0
    total: int = 0

    def add(self, value: str) -> "Stats":
        return Stats(self.count + 1, self.total + int(value))


def test_final_results_by_a_class_and_its_method() -> None:
    app = App("final")
    given = app.topic("a", key=str, value=str)
    late = app.topic("late", key=str, value=str)
    results = app.topic("results", key=Windowed[str], value=Stats)

    @app.topology(given, to=(results, late))
    def stats(a: Stream[str, str]) -> tuple[Table[Windowed[str], Stats], Stream[str, str]]:
        totals = a.group_by_key().window(tumbling("1m", grace="10s")).aggregate(Stats, Stats.add, emit="final")
        return totals, totals.late

    with TestDriver(app) as driver:
        driver.send(given, "1", key="k", at=0)
        driver.send(given, "2", key="k", at=69_999)
        driver.send(given, "3", key="k", at=59_999)
        assert driver.read(results) == []
        driver.send(given, "4", key="k", at=70_000)
        assert driver.read(results) == [(Windowed("k", 0, 60_000), Stats(2, 4))]
        driver.send(given, "5", key="k", at=59_999)
        assert driver.read(late) == [("k", "5")]


def test_emit_complete_gives_the_whole_table_at_each_commit_that_changed_it() -> None:
    def t(a: Stream[str, str]) -> Any:
        return a.group_by_key().window(tumbling("1m")).count(emit="complete")

    assert out(t, ("a", "k", "x", 0), ("a", "j", "x", 1)) == [
        ("k@0/60000", 1),
        ("j@0/60000", 1),
        ("k@0/60000", 1),
    ]


def test_changes_all_keeps_every_change_within_a_commit() -> None:
    def latest(a: Stream[str, str]) -> Any:
        return a.group_by_key().count()

    def every(a: Stream[str, str]) -> Any:
        return a.group_by_key().count(changes="all")

    given = [("a", "k", "x", at) for at in range(3)]
    assert Program(latest).run(*given, chunk=10) == [("k", 3)]
    assert Program(every).run(*given, chunk=10) == [("k", 1), ("k", 2), ("k", 3)]
