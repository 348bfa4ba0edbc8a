"""Each verb called wrongly: a DeclarationError that begins with the line of the call."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from framework import (
    App,
    Context,
    DeclarationError,
    GlobalTable,
    ListState,
    Processor,
    Stream,
    Table,
    Timer,
    ValueState,
    every,
    session,
    tumbling,
)

HERE = r"^\S*test_misuse\.py:"
S = Stream[str, str]
T = Table[str, str]
G = GlobalTable[str, str]


class Unwritable:
    """Nothing that a serde knows."""


def of_int(number: int) -> int:
    return number


def number(text: str) -> int:
    return 1


def unwritable(text: str) -> Unwritable:
    return Unwritable()


def parts(key: str, text: str) -> int:
    return 1


def first(left: str, right: str) -> str:
    return left


WRONG: dict[Callable[..., Any], str] = {
    # Streams
    (lambda a: a.map(of_int)): "map() calls of_int with the stream's values, which are str, but its parameter is int",
    (lambda a: a.map(str.upper, name=3)): "3 cannot name a step",
    (lambda a: a.flat_map(number)): "flat_map() takes a function that returns several, but it returns int",
    (lambda a: a.filter(lambda k, v: v)): "filter() calls <lambda> with 1 argument (value)",
    (lambda a: a.map_items(parts)): "map_items() makes pairs of key and value, but its function gives int",
    (lambda a: a.flat_map_items(parts)): "flat_map_items() takes a function that returns several",
    (lambda a: a.filter_items(lambda v: v)): "filter_items() calls <lambda> with 2 arguments (key, value)",
    (lambda a: a.rekey(of_int)): "rekey() calls of_int",
    (lambda a: a.peek("x")): "peek() takes a function, got 'x'",
    (lambda a: a.for_each(3)): "for_each() takes a function, got 3",
    (lambda a: a.merge()): "merge() takes at least one other stream",
    (lambda a: a.merge(a.group_by_key())): "merge() takes streams, got GroupedStream",
    (lambda a: a.branch()): "branch() takes at least one predicate",
    (lambda a: a.to("topic")): "to() takes a topic made by app.topic(), got 'topic'",
    (lambda a: a.to_table(history=5)): "to_table(history=5): expected a duration",
    (lambda a: a.repartition(partitions="3")): "repartition() takes partitions >= 1, got '3'",
    (lambda a: a.group_by(of_int)): "group_by() calls of_int",
    (lambda a: a.process(lambda v: v)): "process() takes a class derived from Processor",
    (lambda a: a.deduplicate(within=10)): "deduplicate(within=10): expected a duration",
    (lambda a: a.with_timestamps(str.lower, name="a b")): "'a b' cannot name a step",
    (lambda a: a.with_headers(number)): "with_headers() takes a function whose headers are a mapping of names",
    (lambda a: a.limit_rate(1.5, per="1s")): "limit_rate() lets at least 1 record pass, got 1.5",
    (lambda a: a.count()): "a Stream has no count(): group it first, as in .group_by(fn).count(…)",
    (lambda a: a.window(tumbling("1s"))): "a Stream has no window(): group it first",
    (lambda a: a.suppress(until="1s")): "a Stream has no suppress(): it becomes a table by .to_table().suppress(…)",
    # Joins of streams
    (lambda a, b: a.join(b, value=first)): "join() of streams needs within=",
    (lambda a, b: a.join(b, within="1s")): "missing 1 required keyword-only argument: 'value'",
    (lambda a, b: a.join(b, within=("-1s", "1s"), value=first)): "expected a duration such as",
    (lambda a, b: a.left_join(b, within="1s", value=lambda left: left)): "left_join() calls <lambda> with 2 arguments",
    (lambda a, b: a.outer_join(b.group_by_key(), within="1s", value=first)): "got GroupedStream",
    (lambda a, b: a.semi_join(b, within="1s", value=first)): "unexpected keyword argument 'value'",
    (lambda a, t: a.join(t, within="1s", value=first)): "join() with a table takes no within=",
    (lambda a, t: a.join(t, grace="1s", value=first)): "so the table must remember: give it a history",
    (lambda a, t: a.outer_join(t, value=first)): "outer_join() of a stream with a table cannot be",
    (lambda a, g: a.join(g, value=first)): "join() with a global table needs key=fn(value)",
    (lambda g: g.filter(len)): "a GlobalTable has no filter(): streams look it up",
    # Tables
    (lambda t: t.map(of_int)): "map() calls of_int",
    (lambda t: t.filter(3)): "filter() takes a function, got 3",
    (lambda t: t.count()): "a Table has no count(): group it first",
    (lambda t: t.rekey(len)): "a Table has no rekey(): .to_stream().rekey(…) works on its changes",
    (lambda t, b: t.join(b, value=first)): "a stream becomes one by .to_table()",
    (lambda t, u: t.join(u, on=number, value=first)): "join(on=…) gives keys of type int, but",
    (lambda t, u: t.outer_join(u, on=len, value=first)): "unexpected keyword argument 'on'",
    (lambda t: t.suppress()): "suppress() without until= and without a limit lets nothing out",
    (lambda t: t.suppress(until="window closes")): 'suppress(until="window closes") follows a windowed aggregation',
    (lambda t: t.suppress(max_bytes="1 MB")): "suppress() takes max_bytes >= 1, got '1 MB'",
    (lambda t: t.suppress(max_records=1, when_full="drop")): 'suppress() takes when_full="emit" or "stop"',
    (lambda a: a.to_table(history="1h").suppress(until="1s")): "so it cannot follow a table with history",
    (lambda t: t.group_by(len).min()): "min() of a grouped table cannot be",
    (lambda t: t.group_by(len).approx_distinct()): "rows leave their groups",
    (lambda t: t.group_by(len).window(tumbling("1s"))): "window() of a grouped table cannot be",
    (lambda t: t.group_by(len).reduce(first)): "missing 1 required positional argument: 'subtract'",
    (lambda t: t.group_by(len).aggregate(0, first)): "missing 1 required positional argument: 'subtract'",
    # Aggregations and windows
    (lambda a: a.group_by_key().sum()): "sum() adds numbers, but the values are str",
    (lambda a: a.group_by_key().collect(max=0)): "collect() takes max >= 1, got 0",
    (lambda a: a.group_by_key().reduce(len)): "reduce() calls len with 2 arguments",
    (lambda a: a.group_by_key().aggregate(0)): "missing 1 required positional argument: 'fn'",
    (lambda a: a.group_by_key().aggregate(0, first)): "aggregate() calls first with the stream's state, which are int",
    (
        lambda a: a.group_by_key().aggregate(Unwritable, lambda s, v: s) and None
    ): "cannot keep its state: cannot carry values",
    (lambda a: a.map(unwritable).to_table() and None): "cannot keep its state: cannot carry values of type Unwritable",
    (
        lambda a: a.map(unwritable).group_by(lambda v: "x").count(changes="all") and None
    ): "cannot write its values: cannot carry values",
    (lambda a: a.group_by_key().cogroup([1], initial=0)): "cogroup() takes a dict of grouped streams and functions",
    (lambda a: a.group_by_key().count(emit="final")): "a result is final only in a window",
    (lambda a: a.group_by_key().count(changes="some")): 'count() takes changes="latest" or "all"',
    (lambda a: a.group_by_key().window("1s")): "window() takes windows such as",
    (lambda a: a.group_by_key().window(tumbling("1s")).count(emit="last")): 'takes emit="changes", "final" or',
    (lambda a: a.group_by_key().window(tumbling("1s")).window(tumbling("1s"))): "a WindowedStream has no window()",
    (lambda a: a.group_by_key().window(session("1s")).aggregate(0, lambda s, v: s)): "over sessions needs merge=",
    (lambda a: a.group_by_key().count().late): "a Table has no late",
    (lambda a: a.late_left): "a Stream has no late_left(): late records by side are those of a join of two streams",
}
ANNOTATIONS = {"a": S, "b": S, "t": T, "u": T, "g": G}


@pytest.mark.parametrize(("function", "said"), WRONG.items(), ids=[said[:60] for said in WRONG.values()])
def test_verb_called_wrongly_is_told_with_file_and_line(function: Callable[..., Any], said: str) -> None:
    app = App("misuse")
    parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
    sources = [app.topic(name, key=str, value=str) for name in parameters]
    function.__annotations__ = {name: ANNOTATIONS[name] for name in parameters}
    with pytest.raises(DeclarationError, match=HERE + rf"{function.__code__.co_firstlineno}: .*" + re.escape(said)):
        app.topology(*sources, name="t")(function)
        app.plan()


def test_error_of_the_users_own_is_left_as_it_is() -> None:
    app = App("own")
    given = app.topic("given", key=str, value=str)

    def topology(given: S) -> None:
        {}["missing"]

    with pytest.raises(KeyError, match="missing"):
        app.topology(given)(topology)


class NoOnTimer(Processor[str, str, str]):
    def process(self, value: str, ctx: Context[str]) -> None:
        ctx.timer(at=1)


class TimerInOpen(Processor[str, str, str]):
    def open(self, ctx: Context[str]) -> None:
        ctx.timer(after="1s")

    def process(self, value: str, ctx: Context[str]) -> None: ...

    def on_timer(self, timer: Timer, ctx: Context[str]) -> None: ...


class TimerInEvery(Processor[str, str, str]):
    def process(self, value: str, ctx: Context[str]) -> None: ...

    def on_timer(self, timer: Timer, ctx: Context[str]) -> None: ...

    @every("1s")
    def often(self, ctx: Context[str]) -> None:
        ctx.timer(at=1)


class UnwritableState(Processor[str, str, str]):
    kept = ListState(Unwritable)

    def process(self, value: str, ctx: Context[str]) -> None: ...


class DefaultOfAnotherType(Processor[str, str, str]):
    kept = ValueState(int, default="")

    def process(self, value: str, ctx: Context[str]) -> None: ...


@pytest.mark.parametrize(
    ("processor", "said"),
    [
        (NoOnTimer, r"NoOnTimer.process\(\) sets a timer, but the class has no method on_timer"),
        (TimerInOpen, r"TimerInOpen.open\(\) sets a timer, but a timer belongs to a key"),
        (TimerInEvery, r"TimerInEvery.often\(\) sets a timer, but a timer belongs to a key"),
        (UnwritableState, 'the state "kept" cannot be kept: .*Unwritable in it is no such type'),
        (DefaultOfAnotherType, "the default of the state \"kept\" is '', but its type is int"),
    ],
)
def test_class_used_wrongly_is_told_with_file_and_line(processor: Any, said: str) -> None:
    app = App("misuse")
    given = app.topic("given", key=str, value=str)
    with pytest.raises(DeclarationError, match=HERE + rf"\d+: .*{said}"):
        app.processor(given)(processor)


def test_timer_in_a_handler_is_told_with_file_and_line() -> None:
    app = App("misuse")
    given = app.topic("given", key=str, value=str)

    def handler(value: str, ctx: Context[str]) -> None:
        ctx.timer(at=1)

    with pytest.raises(DeclarationError, match=HERE + r"\d+: the handler handler sets a timer, but only a class"):
        app.handler(given)(handler)


def test_state_used_outside_of_a_running_class_is_told_with_file_and_line() -> None:
    with pytest.raises(DeclarationError, match=HERE + r"\d+: ValueState is used outside of a running Processor"):
        ValueState(int).get()


@pytest.mark.parametrize("kind", [S, T], ids=["streams", "tables"])
def test_join_of_topics_with_different_partitions_is_told_with_file_and_line(kind: Any) -> None:
    app = App("misuse")
    two = app.topic("two", key=str, value=str, partitions=2)
    three = app.topic("three", key=str, value=str, partitions=3)

    def joined(two: kind, three: kind) -> None:
        two.join(three, value=first, **({"within": "1s"} if kind is S else {}))

    with pytest.raises(DeclarationError, match=HERE + r"\d+: .*the left side has 2 partitions and the right one 3"):
        app.topology(two, three)(joined)
