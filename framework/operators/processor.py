"""Runs a class of the user's: one instance per task, its states and timers bound to the task's stores.

Per record: stream time moves, `process` is called, then the timers that stream time has reached fire, by time and key,
then methods declared with `@every` whose interval stream time has entered. What they return follows in that order.
Wall-clock timers and periods come between chunks, by `tick`.

The step's clock is that of its store of timers. Every change goes through cells that a failed chunk leaves behind.
"""

from collections.abc import Callable, Iterable
from typing import Any

from framework.chunk import Chunk, Column
from framework.durations import Duration, to_ms
from framework.operators.base import (
    EventTimed,
    FlushingOperator,
    Inputs,
    Operator,
    OperatorContext,
    WallClocked,
    empty_chunk,
)
from framework.operators.process_state import VIEWS, Cell, Cursor, Expiry, StateView, remove_expired
from framework.operators.timers import Timers
from framework.plan.processors import ProcessorNode, Timer, topic_of
from framework.plan.timer_keys import WALL
from framework.records import Headers
from state.keys import MAX_TIME

_OPEN, _PROCESS, _TIMER, _PERIOD = "open()", "process()", "on_timer()", "a method with @every"
Row = tuple[bytes, Any, int, Headers | None, int | None]  # key, value, timestamp (ms), headers, place in the order


class RunningContext:
    """What the user's methods get as `ctx`; one object per task, true until the method returns."""

    __slots__ = (
        "_clock",
        "_cursor",
        "_fired",
        "_has_timers",
        "_timers",
        "_where",
        "headers",
        "key",
        "partition",
        "timestamp",
        "topic",
    )

    def __init__(
        self,
        timers: Timers,
        cursor: Cursor,
        clock: Callable[[], int],
        partition: int,
        topic: str | None,
        *,
        has_timers: bool,
    ) -> None:
        self._timers, self._cursor, self._clock, self._has_timers = timers, cursor, clock, has_timers
        self.partition, self.topic = partition, topic
        self.key: Any = None
        self.timestamp = 0
        self.headers: Headers = []
        self._fired: Timer | None = None
        self._where = _OPEN

    @property
    def stream_time(self) -> int:
        return self._cursor.time_ms

    @property
    def now(self) -> int:
        return self._clock()

    def timer(self, *, at: int | None = None, after: Duration | None = None, name: str | None = None) -> Timer:
        self._check_can_set()
        if (at is None) == (after is None):
            raise ValueError("timer() takes either at=, a stream time in ms, or after=, a duration of the wall clock.")
        if at is not None:
            timer = Timer(self._checked_time(at), name, "event")
        else:
            wait_ms = to_ms(after) if after is not None else 0
            if wait_ms < 1:
                raise ValueError(f"timer(after=) takes a duration of at least 1 ms, got {after!r}.")
            timer = Timer(self._clock() + wait_ms, name, "wall")
        self._timers.set(timer)
        return timer

    def timers(self) -> list[Timer]:
        return self._timers.waiting()

    def delete_timer(self, timer: Timer | str) -> None:
        self._timers.delete(timer)

    def _check_can_set(self) -> None:
        if self._where in (_OPEN, _PERIOD):
            raise RuntimeError(
                f"a timer belongs to a key, and {self._where} has none: set it in process() or on_timer()."
            )
        if not self._has_timers:
            raise RuntimeError("timer() needs a method on_timer(self, timer, ctx) of the class, which it calls.")

    def _checked_time(self, at: int) -> int:
        if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < MAX_TIME:
            raise ValueError(f"timer(at=) takes a stream time in ms since the epoch, got {at!r}.")
        fired = self._fired
        if fired is not None and fired.clock == "event" and at <= fired.at:
            raise ValueError(
                f"on_timer() was called for the time {fired.at} and sets a timer for {at}, which would fire at once, "
                "again and again: set a later one."
            )
        return at


class ProcessorOperator(Operator, FlushingOperator):
    """See the module."""

    def __init__(self, node: ProcessorNode, context: OperatorContext) -> None:
        self._node, self._dropped = node, context.dropped
        self._book = Cell(context.stores[node.timers])
        self._store = self._book.store
        self._key_serde = self._store.spec.key_serde.inner  # type: ignore[attr-defined]  # of timers
        self._cursor = Cursor()
        self._timers = Timers(self._book, self._cursor)
        self._views = self._bind(context)
        self._keyed_cells = [v.cell for s, v in zip(node.states, self._views.values(), strict=True) if s.kind != "map"]
        self._other_cells = [v.cell for s, v in zip(node.states, self._views.values(), strict=True) if s.kind == "map"]
        self._cells = [*self._keyed_cells, *self._other_cells, self._book]
        self._has_ttl = any(state.ttl_ms is not None for state in node.states)
        self._ctx = RunningContext(
            self._timers,
            self._cursor,
            context.clock,
            context.partition,
            topic_of(node.parents[0]),
            has_timers=node.has_timers,
        )
        self._instance = self._make_instance()
        self._event_periods = [p for p in node.periodics if p.clock == "event"]
        self._rows: list[Row] = []
        self._is_open = False

    def _bind(self, context: OperatorContext) -> dict[str, StateView]:
        views: dict[str, StateView] = {}
        for state in self._node.states:
            store = context.stores[f"{self._node.name}.{state.attribute}"]
            expiry = None if state.ttl_ms is None else Expiry(self._book, state.attribute, state.ttl_ms)
            views[state.attribute] = VIEWS[state.kind](state, store, self._cursor, self._key_serde, expiry)
        return views

    def _make_instance(self) -> Any:
        instance = self._node.processor()
        for attribute, view in self._views.items():
            setattr(instance, attribute, view)
        return instance

    # Chunks

    def receive(self, inputs: Inputs) -> tuple[Chunk, ...]:
        # Reason: records that fill states go before all others, so they are never in between.
        for attribute, chunk in zip(self._node.initial, inputs[1:], strict=True):
            if chunk is not None:
                self._fill(attribute, chunk)
        return (self.process(inputs[0]) if inputs[0] is not None else empty_chunk(),)

    def _fill(self, attribute: str, chunk: Chunk) -> None:
        """Set a state from the records of its initial topic; the step's clock stands still."""
        kept = chunk.select(chunk.keys.is_present())
        self._dropped[self._node.name, "null key"] += len(chunk) - len(kept)
        encoded: list[Any] = kept.keys.encoded(self._key_serde)
        self._start(dict.fromkeys(encoded))
        view: Any = self._views[attribute]
        for key, value in zip(encoded, kept.values.decoded, strict=True):
            self._cursor.key = key
            if value is None:
                view.clear()
            else:
                view.fill(value)
        self._finish()

    def process(self, chunk: Chunk) -> Chunk:
        kept = chunk
        if chunk.keys.has_none():
            kept = chunk.select(chunk.keys.is_present())
            self._dropped[self._node.name, "null key"] += len(chunk) - len(kept)
            if not len(kept):
                return empty_chunk()
        encoded: list[Any] = kept.keys.encoded(self._key_serde)
        self._start(dict.fromkeys(encoded))
        clock_ms = self._store.clock_ms
        newest_ms = max(kept.timestamps)
        self._timers.begin(clock_ms + 1, newest_ms if newest_ms > clock_ms else clock_ms)
        self._run(encoded, kept, clock_ms)
        return self._finish(kept.headers is not None, kept.order is not None)

    def _run(self, encoded: list[bytes], chunk: Chunk, clock_ms: int) -> None:
        cursor, ctx, rows = self._cursor, self._ctx, self._rows
        process, is_several = self._instance.process, "process" in self._node.several
        events, has_periods = self._timers.events, bool(self._event_periods)
        headers: list[Any] = chunk.headers if chunk.headers is not None else [None] * len(chunk)
        order: list[Any] = chunk.order if chunk.order is not None else [None] * len(chunk)
        for key, decoded, value, timestamp, head, place in zip(
            encoded, chunk.keys.decoded, chunk.values.decoded, chunk.timestamps, headers, order, strict=True
        ):
            before_ms = clock_ms
            if timestamp > clock_ms:
                cursor.time_ms = clock_ms = timestamp
            cursor.key = key
            ctx.key, ctx.timestamp, ctx.headers, ctx._where = decoded, timestamp, head or [], _PROCESS
            result = process(value, ctx)
            if result is not None:
                if is_several:
                    rows.extend([(key, item, timestamp, head, place) for item in result if item is not None])
                else:
                    rows.append((key, result, timestamp, head, place))
            if events and events[0][0] <= clock_ms:
                self._fire_events(clock_ms, place)
            if has_periods and before_ms < clock_ms:
                self._call_periods(before_ms, clock_ms, place)
        self._store.clock_ms = clock_ms

    def _start(self, keys: dict[bytes, None]) -> None:
        for cell in self._keyed_cells:
            cell.start(keys)
        for cell in self._other_cells:
            cell.start({})
        self._book.start({})
        self._rows.clear()
        self._cursor.key, self._cursor.time_ms, self._ctx._fired = None, max(0, self._store.clock_ms), None
        if not self._is_open:
            self._ctx.key, self._ctx._where = None, _OPEN
            self._instance.open(self._ctx)
            self._is_open = True

    def _finish(self, has_headers: bool = False, has_order: bool = False) -> Chunk:
        self._cursor.key = None
        for cell in self._cells:
            cell.flush()
        if not self._rows:
            return empty_chunk()
        keys, values, timestamps, headers, order = map(list, zip(*self._rows, strict=True))
        self._rows.clear()
        return Chunk(
            Column(None, keys, self._key_serde),
            Column(values),
            timestamps,
            headers if has_headers else None,
            order if has_order else None,
        )

    def flush(self) -> Chunk:
        if self._has_ttl:
            remove_expired(self._store, self._views, self._store.settled_clock_ms + 1, self._store.clock_ms)
        return empty_chunk()

    # Timers and periods

    def _fire_events(self, now_ms: int, place: int | None) -> None:
        for key, timer in self._timers.take_events(now_ms):
            self._fire(key, timer, timer.at, place)

    def _fire(self, key: bytes, timer: Timer, timestamp: int, place: int | None = None) -> None:
        ctx = self._ctx
        self._cursor.key, ctx.key = key, self._key_serde.deserialize(key)
        ctx.timestamp, ctx.headers, ctx._fired, ctx._where = timestamp, [], timer, _TIMER
        result = self._instance.on_timer(timer, ctx)
        if result is not None:
            results: Iterable[Any] = result if "on_timer" in self._node.several else (result,)
            self._rows.extend([(key, item, timestamp, None, place) for item in results if item is not None])
        ctx._fired = None

    def _call_periods(self, before_ms: int, now_ms: int, place: int | None) -> None:
        for period in self._event_periods:
            if before_ms // period.interval_ms < now_ms // period.interval_ms:
                self._call(period.method, now_ms, place)

    def _call(self, method: str, timestamp: int, place: int | None = None) -> None:
        ctx = self._ctx
        self._cursor.key = ctx.key = None
        ctx.timestamp, ctx.headers, ctx._where = timestamp, [], _PERIOD
        for key, value in getattr(self._instance, method)(ctx) or ():
            self._rows.append((self._key_serde.serialize(key), value, timestamp, None, place))


class TimedProcessorOperator(ProcessorOperator, EventTimed, WallClocked):
    """A class with timers, or with methods that are called at times."""

    def __init__(self, node: ProcessorNode, context: OperatorContext) -> None:
        super().__init__(node, context)
        self._wall_periods = [p for p in node.periodics if p.clock == "wall"]
        # Reason: a period of the wall clock is kept by no store; after a restart the next full interval counts.
        self._last_tick_ms = context.clock()

    def advance(self, stream_time_ms: int) -> tuple[Chunk, ...]:
        self._start({})
        clock_ms = self._store.clock_ms
        is_end = stream_time_ms >= MAX_TIME
        to_ms = MAX_TIME - 1 if is_end else stream_time_ms
        if to_ms <= clock_ms:
            return (self._finish(),)
        # Reason: at the end of time a timer that sets the next one would never come to an end.
        self._timers.begin(clock_ms + 1, to_ms, joins_late=not is_end)
        for key, timer in self._timers.take_events(to_ms):
            self._cursor.time_ms = self._store.clock_ms = max(self._store.clock_ms, timer.at)
            self._fire(key, timer, timer.at)
        if not is_end:
            self._cursor.time_ms = self._store.clock_ms = to_ms
            self._call_periods(clock_ms, to_ms, None)
        return (self._finish(),)

    def tick(self, now_ms: int) -> tuple[Chunk, ...]:
        self._start({})
        clock_ms = self._store.clock_ms
        stamp = max(0, clock_ms)
        self._timers.begin(clock_ms + 1, clock_ms)
        self._timers.begin_walls(now_ms)
        for key, timer in self._timers.take_walls(now_ms):
            self._fire(key, timer, stamp)
            if self._timers.events:
                self._fire_events(clock_ms, None)
        for period in self._wall_periods:
            if self._last_tick_ms // period.interval_ms < now_ms // period.interval_ms:
                self._call(period.method, stamp)
        self._last_tick_ms = max(self._last_tick_ms, now_ms)
        return (self._finish(),)

    def next_tick_ms(self) -> int | None:
        return self._timers.first(WALL)


def build_processor(node: ProcessorNode, context: OperatorContext) -> ProcessorOperator:
    """The running class; with the clocks only where it has something to do at a time."""
    if node.has_timers or node.periodics:
        return TimedProcessorOperator(node, context)
    return ProcessorOperator(node, context)


__all__ = ["ProcessorOperator", "RunningContext", "build_processor"]
