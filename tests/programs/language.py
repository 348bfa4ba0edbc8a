"""One program per window, join and kind of state; all of them declared in one app, so that one run runs them all.

Each has topics of its own. Values are ints, keys texts. `only_final` says that what was written is compared record by
record; of the others the last value of each key is.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from framework import (
    App,
    Context,
    ListState,
    MapState,
    Processor,
    Stream,
    Table,
    Timer,
    Topic,
    ValueState,
    Windowed,
    hopping,
    session,
    sliding,
    tumbling,
)

PARTITIONS = 4


class Given(NamedTuple):
    """A record of an input; timestamp in ms."""

    input: int
    key: str
    value: int
    timestamp: int


@dataclass(frozen=True)
class Program:
    """A program: its topics, what its inputs are like, and how what it writes is compared."""

    name: str
    inputs: Sequence[Topic[str, int]]
    output: Topic[Any, Any]
    only_final: bool
    is_ordered: bool


class Declaring:
    """What a declaration of a program uses: topics with names of their own."""

    def __init__(self, app: App, name: str) -> None:
        self.app, self.name = app, name

    def input(self, suffix: str = "in", **options: Any) -> Topic[str, int]:
        return self.app.topic(
            f"{self.app.id}-{self.name}-{suffix}", key=str, value=int, partitions=PARTITIONS, **options
        )

    def output(self, key: Any = str, value: Any = int) -> Topic[Any, Any]:
        return self.app.topic(f"{self.app.id}-{self.name}-out", key=key, value=value, partitions=PARTITIONS)


Declared = tuple[Sequence[Topic[str, int]], Topic[Any, Any]]
_PROGRAMS: list[tuple[str, bool, bool, Callable[[Declaring], Declared]]] = []


def program(*, only_final: bool = False, is_ordered: bool = False) -> Callable[[Any], Any]:
    """Add a program. `is_ordered`: its inputs are in the order of time, as what it gives depends on that order."""

    def add(declare: Callable[[Declaring], Declared]) -> Callable[[Declaring], Declared]:
        _PROGRAMS.append((declare.__name__, only_final, is_ordered, declare))
        return declare

    return add


def build(app_id: str) -> tuple[App, list[Program]]:
    """All programs in one app."""
    app = App(app_id)
    programs = []
    for name, only_final, is_ordered, declare in _PROGRAMS:
        inputs, output = declare(Declaring(app, name))
        programs.append(Program(name, inputs, output, only_final, is_ordered))
    return app, programs


# Windows


@program(only_final=True)
def tumbling_sum(d: Declaring) -> Declared:
    source, out = d.input(), d.output(Windowed[str])

    @d.app.topology(source, to=out, name=d.name)
    def total(source: Stream[str, int]) -> Table[Windowed[str], int]:
        return source.group_by_key().window(tumbling("2s", grace="1s")).sum(emit="final")

    return [source], out


@program()
def hopping_count(d: Declaring) -> Declared:
    source, out = d.input(), d.output(Windowed[str])

    @d.app.topology(source, to=out, name=d.name)
    def count(source: Stream[str, int]) -> Table[Windowed[str], int]:
        return source.group_by_key().window(hopping("3s", "1s", grace="1s")).count()

    return [source], out


@program()
def sliding_max(d: Declaring) -> Declared:
    source, out = d.input(), d.output(Windowed[str])

    @d.app.topology(source, to=out, name=d.name)
    def greatest(source: Stream[str, int]) -> Table[Windowed[str], int]:
        return source.group_by_key().window(sliding("700ms", grace="1s")).max()

    return [source], out


@program(only_final=True)
def session_count(d: Declaring) -> Declared:
    source, out = d.input(), d.output(Windowed[str])

    @d.app.topology(source, to=out, name=d.name)
    def count(source: Stream[str, int]) -> Table[Windowed[str], int]:
        return source.group_by_key().window(session("500ms", grace="1s")).count(emit="final")

    return [source], out


@program(only_final=True)
def suppressed_reduce(d: Declaring) -> Declared:
    source, out = d.input(), d.output(Windowed[str])

    @d.app.topology(source, to=out, name=d.name)
    def reduce(source: Stream[str, int]) -> Table[Windowed[str], int]:
        sums = source.group_by_key().window(tumbling("1500ms", grace="1s")).reduce(lambda old, new: old + new)
        return sums.suppress(until="window closes")

    return [source], out


# Joins


@program(only_final=True, is_ordered=True)
def stream_join(d: Declaring) -> Declared:
    left, right, out = d.input("left"), d.input("right"), d.output()

    @d.app.topology(left, right, to=out, name=d.name)
    def join(left: Stream[str, int], right: Stream[str, int]) -> Stream[str, int]:
        return left.join(right, within="300ms", grace="1s", value=lambda a, b: a * 100_000 + b, type=int)

    return [left, right], out


@program(only_final=True, is_ordered=True)
def stream_outer_join(d: Declaring) -> Declared:
    left, right, out = d.input("left"), d.input("right"), d.output()

    @d.app.topology(left, right, to=out, name=d.name)
    def join(left: Stream[str, int], right: Stream[str, int]) -> Stream[str, int]:
        return left.outer_join(
            right, within="150ms", grace="1s", value=lambda a, b: (a or 0) * 100_000 + (b or 0), type=int
        )

    return [left, right], out


@program(only_final=True, is_ordered=True)
def stream_table_join(d: Declaring) -> Declared:
    left, right, out = d.input("left"), d.input("right"), d.output()

    @d.app.topology(left, right, to=out, name=d.name)
    def join(left: Stream[str, int], right: Table[str, int]) -> Stream[str, int]:
        return left.left_join(right, value=lambda a, b: a * 100_000 + (b or 0), type=int)

    return [left, right], out


@program()
def table_table_join(d: Declaring) -> Declared:
    left, right, out = d.input("left"), d.input("right"), d.output()

    @d.app.topology(left, right, to=out, name=d.name)
    def join(left: Table[str, int], right: Table[str, int]) -> Table[str, int]:
        return left.outer_join(right, value=lambda a, b: (a or 0) * 100_000 + (b or 0), type=int)

    return [left, right], out


@program()
def foreign_key_join(d: Declaring) -> Declared:
    left, right, out = d.input("left"), d.input("right"), d.output()

    @d.app.topology(left, right, to=out, name=d.name)
    def join(left: Table[str, int], right: Table[str, int]) -> Table[str, int]:
        return left.left_join(right, on=lambda a: f"k{a % 10}", value=lambda a, b: a * 100_000 + (b or 0), type=int)

    return [left, right], out


# State


@program()
def word_length_count(d: Declaring) -> Declared:
    source, out = d.input(), d.output(int)

    @d.app.topology(source, to=out, name=d.name)
    def count(source: Stream[str, int]) -> Table[int, int]:
        return source.group_by(lambda value: value % 7, key=int).count()

    return [source], out


@program()
def remainder_greatest(d: Declaring) -> Declared:
    source, out = d.input(), d.output(int)

    @d.app.topology(source, to=out, name=d.name)
    def greatest(source: Stream[str, int]) -> Table[int, int]:
        return source.group_by(lambda value: value % 7, key=int).max()

    return [source], out


@program()
def remainder_reduce(d: Declaring) -> Declared:
    source, out = d.input(), d.output(int)

    @d.app.topology(source, to=out, name=d.name)
    def total(source: Stream[str, int]) -> Table[int, int]:
        return source.group_by(lambda value: value % 7, key=int).reduce(lambda a, b: a + b, associative=True)

    return [source], out


@program()
def table_grouped(d: Declaring) -> Declared:
    source, out = d.input(), d.output(int)

    @d.app.topology(source, to=out, name=d.name)
    def total(source: Table[str, int]) -> Table[int, int]:
        return source.group_by(lambda value: value % 3, key=int).sum(type=int)

    return [source], out


@program(only_final=True, is_ordered=True)
def deduplicated(d: Declaring) -> Declared:
    source, out = d.input(), d.output()

    @d.app.topology(source, to=out, name=d.name)
    def first(source: Stream[str, int]) -> Stream[str, int]:
        return source.deduplicate(within="800ms")

    return [source], out


@program()
def cogrouped(d: Declaring) -> Declared:
    left, right, out = d.input("left"), d.input("right"), d.output()

    @d.app.topology(left, right, to=out, name=d.name)
    def total(left: Stream[str, int], right: Stream[str, int]) -> Table[str, int]:
        a, b = left.group_by_key(), right.group_by_key()
        return a.cogroup({b: lambda state, value: state - value, a: lambda state, value: state + value}, initial=0)

    return [left, right], out


@program(only_final=True, is_ordered=True)
def versioned_join(d: Declaring) -> Declared:
    left, right, out = d.input("left"), d.input("right", history="10m"), d.output()

    @d.app.topology(left, right, to=out, name=d.name)
    def join(left: Stream[str, int], right: Table[str, int]) -> Stream[str, int]:
        return left.join(right, value=lambda a, b: a * 100_000 + b, type=int)

    return [left, right], out


@program()
def collected(d: Declaring) -> Declared:
    source, out = d.input(), d.output(str, list[int])

    @d.app.topology(source, to=out, name=d.name)
    def collect(source: Stream[str, int]) -> Table[str, list[int]]:
        def add(state: list[int], value: int) -> list[int]:
            state.append(value)
            return state[-20:]

        return source.group_by_key().aggregate(list, add, type=list[int])

    return [source], out


@program(only_final=True, is_ordered=True)
def value_state_and_timers(d: Declaring) -> Declared:
    source, out = d.input(), d.output()

    @d.app.processor(source, to=out, name=d.name)
    class Total(Processor[str, int, int]):
        total = ValueState(int, default=0)

        def process(self, value: int, ctx: Context[str]) -> Iterator[int]:
            self.total.set(self.total.get() + value)
            # Reason: stream time is that of a partition; this timer waits for the end, whatever shares the partition.
            ctx.timer(at=ctx.timestamp + 30_000, name="quiet")
            if value % 3 == 0:
                yield self.total.get()

        def on_timer(self, timer: Timer, ctx: Context[str]) -> Iterator[int]:
            yield -self.total.get()
            self.total.clear()

    return [source], out


@program(only_final=True, is_ordered=True)
def list_and_map_state(d: Declaring) -> Declared:
    source, out = d.input(), d.output()

    @d.app.processor(source, to=out, name=d.name)
    class Seen(Processor[str, int, int]):
        recent = ListState(int, ttl="900ms")
        by_digit = MapState(int, int)

        def process(self, value: int, ctx: Context[str]) -> int:
            self.recent.append(value)
            self.by_digit.put(value % 10, (self.by_digit.get(value % 10) or 0) + 1)
            return sum(self.recent.get()) * 1000 + sum(digit * n for digit, n in self.by_digit.items())

    return [source], out


@program(only_final=True, is_ordered=True)
def asynchronous(d: Declaring) -> Declared:
    source, out = d.input(), d.output()

    @d.app.handler(source, to=out, concurrency=20, name=d.name)
    async def double(value: int) -> int | None:
        await asyncio.sleep(0)
        return value * 2 if value % 4 else None

    return [source], out
