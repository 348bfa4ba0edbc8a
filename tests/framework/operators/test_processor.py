"""Stateful classes at work: timers, time to live, instances, what a record that fails leaves."""

from collections.abc import Iterator
from typing import Any, Self

import pytest

from framework import (
    App,
    Context,
    ListState,
    MapState,
    Processor,
    RecordError,
    Stream,
    Timer,
    Topic,
    ValueState,
    Windowed,
    every,
    tumbling,
)
from framework.dsl import processors as written
from framework.errors import TimeError
from framework.operators.process_state import ListView, MapView, ValueView
from framework.operators.processor import RunningContext
from framework.testing import TestDriver

Named = Processor[str, str, str]
Row = tuple[str, str, int]


class Driven:
    """One class between two topics."""

    def __init__(self, processor: type[Named], **options: Any) -> None:
        self.app = App("app")
        self.given: Topic[str, str] = self.app.topic("given", key=str, value=str)
        self.results: Topic[str, str] = self.app.topic("results", key=str, value=str)
        self.app.processor(self.given, to=self.results, name="P")(processor)
        self.driver = TestDriver(self.app, **options)
        self._seen = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.close()

    def send(self, key: str | None, value: str, at: int) -> list[Row]:
        """What follows from a record, with its time."""
        self.driver.send(self.given, value, key=key, at=at)
        return self.new()

    def new(self) -> list[Row]:
        rows = [(r.key, r.value, r.timestamp_ms) for r in self.driver.records(self.results)]
        self._seen, before = len(rows), self._seen
        return rows[before:]


class Echo(Named):
    """Sets the timers that a record names: numbers are stream times, others "name=time"; "+5s" waits by the clock."""

    def process(self, value: str, ctx: Context[str]) -> None:
        for word in value.split():
            name, _, time = word.rpartition("=")
            if time.startswith("+"):
                ctx.timer(after=time[1:], name=name or None)
            else:
                ctx.timer(at=int(time), name=name or None)

    def on_timer(self, timer: Timer, ctx: Context[str]) -> str:
        return f"{timer.clock} {timer.name or timer.at} at {ctx.stream_time} {ctx.now}"


def test_event_timers_fire_after_the_record_that_reaches_them_by_time_then_key() -> None:
    with Driven(Echo) as driven:
        assert driven.send("b", "30 20", at=0) == []
        assert driven.send("a", "20 31", at=19) == []
        assert driven.send("c", "", at=30) == [
            ("a", "event 20 at 30 0", 20),
            ("b", "event 20 at 30 0", 20),
            ("b", "event 30 at 30 0", 30),
        ]


def test_event_timer_in_the_past_fires_right_after_its_record() -> None:
    with Driven(Echo) as driven:
        driven.send("a", "", at=100)
        assert driven.send("b", "7", at=50) == [("b", "event 7 at 100 0", 7)]


def test_timer_set_twice_fires_once_and_a_name_set_again_moves() -> None:
    with Driven(Echo) as driven:
        driven.send("a", "10 10 n=11 n=12", at=0)
        assert [row[1] for row in driven.send("b", "", at=20)] == ["event 10 at 20 0", "event n at 20 0"]


def test_timers_fire_within_a_chunk_before_the_next_record() -> None:
    class Told(Echo):
        def process(self, value: str, ctx: Context[str]) -> str:  # type: ignore[override]
            super().process(value, ctx)
            return "record"

    with Driven(Told, chunk=10) as driven:
        for key, value, at in [("a", "5", 0), ("b", "", 5), ("c", "", 6)]:
            driven.driver.send(driven.given, value, key=key, at=at)
        assert driven.new() == [("a", "record", 0), ("b", "record", 5), ("a", "event 5 at 5 0", 5), ("c", "record", 6)]


def test_wall_clock_timers_fire_at_their_exact_times_and_survive_restart() -> None:
    with Driven(Echo) as driven:
        driven.send("a", "+5s +2s", at=7)
        driven.driver.advance("3s")
        driven.driver.restart()
        driven.driver.advance("1h")
        assert driven.new() == [("a", "wall 2000 at 7 2000", 7), ("a", "wall 5000 at 7 5000", 7)]


def test_event_timers_survive_restart() -> None:
    with Driven(Echo) as driven:
        driven.send("a", "5", at=0)
        driven.driver.restart()
        assert driven.send("b", "", at=5) == [("a", "event 5 at 5 0", 5)]


def test_stream_time_survives_restart() -> None:
    with Driven(Echo) as driven:
        driven.send("a", "", at=100)
        driven.driver.restart()
        assert driven.send("a", "50", at=0) == [("a", "event 50 at 100 0", 50)]


def test_wall_clock_timer_set_after_the_clock_went_back_fires() -> None:
    with Driven(Echo, now=10_000) as driven:
        driven.send("a", "+1s", at=0)
        driven.driver.advance("5s")
        driven.driver.now_ms = 2_000
        assert driven.send("b", "+1s", at=0) == [("a", "wall 11000 at 0 11000", 0)]
        driven.driver.advance("1s")
        assert driven.new() == [("b", "wall 3000 at 0 3000", 0)]


def test_class_takes_windowed_keys() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=str)
    results = app.topic("results", key=str, value=str)

    class Windows(Processor[Windowed[str], int, str]):
        last = ValueState(int, default=0)

        def process(self, value: int, ctx: Context[Windowed[str]]) -> str:
            before = self.last.get()
            self.last.set(value)
            return f"{ctx.key} {before} {value}"

    @app.topology(given, to=results)
    def count(given: Stream[str, str]) -> Stream[str, str]:
        counts = given.group_by_key().window(tumbling("10ms")).count()
        return counts.to_stream().process(Windows).map_items(lambda key, text: (key.key, text), key=str, type=str)

    with TestDriver(app) as driver:
        for at in (1, 2, 12):
            driver.send(given, "", key="a", at=at)
        assert [text for _, text in driver.read(results)] == ["a@0/10 0 1", "a@0/10 1 2", "a@10/20 0 1"]


def test_wall_clock_timer_may_set_an_event_timer_in_the_past() -> None:
    class Both(Echo):
        def on_timer(self, timer: Timer, ctx: Context[str]) -> str:
            if timer.clock == "wall":
                ctx.timer(at=3)
            return super().on_timer(timer, ctx)

    with Driven(Both) as driven:
        driven.send("a", "+1s", at=10)
        driven.driver.advance("1s")
        assert driven.new() == [("a", "wall 1000 at 10 1000", 10), ("a", "event 3 at 10 1000", 3)]


def test_timer_that_would_fire_for_ever_is_refused() -> None:
    class Endless(Echo):
        def on_timer(self, timer: Timer, ctx: Context[str]) -> str:
            ctx.timer(at=timer.at)
            return ""

    with Driven(Endless) as driven, pytest.raises(RecordError, match="which would fire at once, again and again"):
        driven.send("a", "0", at=0)


def test_wall_clock_timer_that_fails_leaves_nothing_and_waits_on() -> None:
    class Failing(Echo):
        is_broken = True
        fired = ValueState(int, default=0)

        def on_timer(self, timer: Timer, ctx: Context[str]) -> str:
            self.fired.set(self.fired.get() + 1)
            if Failing.is_broken:
                raise ValueError("not yet")
            return str(self.fired.get())

    with Driven(Failing) as driven:
        driven.send("a", "+1s", at=0)
        with pytest.raises(TimeError, match=r'the step "P" .* failed at a time of its own.*ValueError: not yet'):
            driven.driver.advance("1s")
        Failing.is_broken = False
        driven.driver.advance("1s")
        assert driven.new() == [("a", "1", 0)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param({}, "takes either at=", id="neither"),
        pytest.param({"at": 1, "after": "1s"}, "takes either at=", id="both"),
        pytest.param({"at": -1}, "takes a stream time in ms", id="negative"),
        pytest.param({"at": 1.5}, "takes a stream time in ms", id="a fraction"),
        pytest.param({"after": "0s"}, "at least 1 ms", id="at once"),
    ],
)
def test_timer_with_arguments_that_make_no_time_is_refused(arguments: Any, said: str) -> None:
    class Wrong(Echo):
        def process(self, value: str, ctx: Context[str]) -> None:
            ctx.timer(**arguments)

    with Driven(Wrong) as driven, pytest.raises(RecordError, match=said):
        driven.send("a", "", at=0)


def hidden_timer(ctx: Context[str]) -> None:
    ctx.timer(at=1)


def test_timer_without_on_timer_is_refused() -> None:
    class Deaf(Named):
        def process(self, value: str, ctx: Context[str]) -> None:
            hidden_timer(ctx)

    with Driven(Deaf) as driven, pytest.raises(RecordError, match="timer\\(\\) needs a method on_timer"):
        driven.send("a", "", at=0)


class Total(Named):
    total = ValueState(int, default=0)

    def process(self, value: str, ctx: Context[str]) -> str:
        self.total.set(self.total.get() + int(value))
        if self.total.get() > 10:
            raise ValueError("too much")
        return str(self.total.get())


def test_record_that_fails_leaves_no_state() -> None:
    with Driven(Total) as driven:
        driven.send("a", "6", at=0)
        with pytest.raises(RecordError, match="ValueError: too much"):
            driven.send("a", "5", at=0)
        assert driven.send("a", "4", at=0) == [("a", "10", 0)]


def test_record_without_key_is_dropped_and_counted() -> None:
    with Driven(Total) as driven:
        assert driven.send(None, "1", at=0) == []
        assert driven.driver.dropped == {("P", "null key"): 1}


def test_results_keep_key_timestamp_and_headers() -> None:
    class Told(Named):
        def process(self, value: str, ctx: Context[str]) -> Iterator[str]:
            yield f"{ctx.key} {ctx.timestamp} {ctx.headers} {ctx.partition} {ctx.topic}"
            yield "twice"

    with Driven(Told) as driven:
        driven.driver.send(driven.given, "", key="a", at=3, headers=[("h", b"1")])
        first, second = driven.driver.records(driven.results)
        assert first.value == "a 3 [('h', b'1')] 0 given"
        assert [(r.key, r.timestamp_ms, r.headers) for r in (first, second)] == [("a", 3, [("h", b"1")])] * 2


def test_each_task_has_its_instance_and_opens_it_once() -> None:
    opened: list[tuple[int, int]] = []

    class Opened(Named):
        def open(self, ctx: Context[str]) -> None:
            opened.append((id(self), ctx.partition))

        def process(self, value: str, ctx: Context[str]) -> None: ...

    with Driven(Opened, partitions=2) as driven:
        for key in "abcdef":
            driven.send(key, "", at=0)
    assert sorted(partition for _, partition in opened) == [0, 1]
    assert len({instance for instance, _ in opened}) == 2


def test_state_without_current_key_says_so() -> None:
    class Early(Total):
        def open(self, ctx: Context[str]) -> None:
            self.total.get()

    with Driven(Early) as driven, pytest.raises(RecordError, match="there is no current key here"):
        driven.send("a", "1", at=0)


def test_value_state_refuses_none() -> None:
    class Forgetful(Total):
        def process(self, value: str, ctx: Context[str]) -> str:
            self.total.set(None)  # type: ignore[arg-type]
            return ""

    with Driven(Forgetful) as driven, pytest.raises(RecordError, match='the state "total" holds no None: use clear'):
        driven.send("a", "1", at=0)


def test_default_that_can_change_is_not_shared() -> None:
    class Growing(Named):
        seen = ValueState(list[str], default=[])

        def process(self, value: str, ctx: Context[str]) -> str:
            seen = self.seen.get()
            seen.append(value)
            return str(seen)

    with Driven(Growing) as driven:
        assert driven.send("a", "x", at=0) == [("a", "['x']", 0)]
        assert driven.send("a", "y", at=0) == [("a", "['y']", 0)]


def test_time_to_live_of_a_late_record_starts_at_stream_time() -> None:
    class Brief(Named):
        last = ValueState(str, default="none", ttl="10ms")

        def process(self, value: str, ctx: Context[str]) -> str:
            before = self.last.get()
            self.last.set(value)
            return before

    with Driven(Brief) as driven:
        driven.send("a", "x", at=100)
        driven.send("a", "late", at=5)
        assert driven.send("a", "y", at=109) == [("a", "late", 109)]
        assert driven.send("a", "z", at=119) == [("a", "none", 119)]


def test_expired_entries_of_idle_keys_are_removed() -> None:
    class Brief(Named):
        last = ValueState(str, ttl="10ms")

        def process(self, value: str, ctx: Context[str]) -> None:
            self.last.set(value)

    with Driven(Brief) as driven:
        for at in range(0, 100, 10):
            driven.send(f"k{at}", "x", at=at)
        assert list(driven.driver.store("P.last").items()) == [("k90", "x")]
        kinds = [key[0] for key in driven.driver.store("P.timers")]
        assert kinds == ["expiry"]


class Sums(Total):
    @every("10ms")
    def sums(self, ctx: Context[str]) -> Iterator[tuple[str, str]]:
        for key, total in self.total.all():
            yield key, f"{total} at {ctx.timestamp}"


def test_every_reads_the_states_of_all_keys_and_comes_after_the_record() -> None:
    with Driven(Sums) as driven:
        driven.send("b", "1", at=3)
        driven.send("a", "2", at=4)
        assert driven.send("a", "3", at=27) == [("a", "5", 27), ("a", "5 at 27", 27), ("b", "1 at 27", 27)]


def test_every_cannot_set_timers() -> None:
    class Wrong(Echo):
        @every("10ms")
        def often(self, ctx: Context[str]) -> None:
            hidden_timer(ctx)

    with Driven(Wrong) as driven, pytest.raises(RecordError, match="a timer belongs to a key"):
        driven.send("a", "", at=0)


@pytest.mark.parametrize(
    ("declared", "running"),
    [
        (written.ValueState, ValueView),
        (written.ListState, ListView),
        (written.MapState, MapView),
        (written.Context, RunningContext),
    ],
)
def test_what_runs_has_every_method_that_users_see(declared: type, running: type) -> None:
    base = {*dir(written.StateDeclaration), "kind"}
    public = {name for name in {*dir(declared), *getattr(declared, "__annotations__", {})} if name[0] != "_"} - base
    assert public - set(dir(running)) == set()


def test_lists_and_maps_hold_copies_of_what_can_change() -> None:
    class Nested(Named):
        rows = ListState(list[int])
        by_name = MapState(str, list[int])

        def process(self, value: str, ctx: Context[str]) -> str:
            row = [1]
            self.rows.append(row)
            self.by_name.put("x", row)
            row.append(2)
            self.rows.get()[0].append(3)
            return f"{self.rows.get()} {self.by_name.items()}"

    with Driven(Nested) as driven:
        assert driven.send("a", "", at=0) == [("a", "[[1]] [('x', [1])]", 0)]


# Functions of the whole worker


def test_periodic_functions_are_called_at_their_times_in_order() -> None:
    app = App("app")
    app.handler(app.topic("given", value=str))(str)
    called: list[tuple[str, int]] = []

    @app.every("10s")
    def slow() -> None:
        called.append(("slow", driver.now_ms))

    @app.every("4s")
    def quick() -> None:
        called.append(("quick", driver.now_ms))

    with TestDriver(app, now=1_000) as driver:
        driver.advance("3s")
        assert called == []
        driver.advance("9s")
        assert called == [("quick", 5_000), ("quick", 9_000), ("slow", 11_000), ("quick", 13_000)]


def test_periodic_function_that_fails_raises_from_advance() -> None:
    app = App("app")
    app.handler(app.topic("given", value=str))(str)

    @app.every("1s")
    def broken() -> None:
        raise ValueError("no")

    with TestDriver(app) as driver, pytest.raises(ValueError, match="no"):
        driver.advance("1s")
