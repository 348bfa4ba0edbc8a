"""What all windowed aggregations have in common: emission, late records, stream time.

| emit | what goes on |
|---|---|
| changes, latest | at the flush, the last change of each key and window since the one before |
| changes, all | each change at once |
| final | each window once, when stream time closes it, in the order of closing, then of the key's bytes |
| complete | at the flush, the whole table, if anything in it changed |

Stream time is the greatest timestamp that the step has seen, of whatever key; whether a record is late is judged by
what it is at that record. It is the clock of the step's store, so it survives restarts.
"""

from abc import abstractmethod
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from framework.chunk import Chunk, Column
from framework.operators.aggregate import Stamped, results_of, state_copier
from framework.operators.base import (
    EventTimed,
    FlushingOperator,
    Inputs,
    OperatorContext,
    SplittingOperator,
    empty_chunk,
    merged,
)
from framework.operators.cogroup import tagged, untagged
from framework.plan.windows import LATE, WindowedNode
from serde import WindowedSerde
from serde.windowed import bounds_bytes
from state import KeyValueStore
from state.keys import MAX_TIME, TIME_WIDTH, time_bytes, time_of
from state.windowed_keys import WindowKeySerde


class Told(NamedTuple):
    """One change of the store: the place of the record that made it, its key in the store, what it replaces."""

    source: int
    stored: bytes
    value: Any
    timestamp: int
    old: Any


class WindowedOperator(SplittingOperator, FlushingOperator, EventTimed):
    """A step whose results are the values of its store, one per key and window."""

    def __init__(self, node: WindowedNode, context: OperatorContext) -> None:
        aggregation = node.aggregation
        self._name, self._emit, self._dropped = node.name, node.emit, context.dropped
        self._every_change = node.emit == "changes" and (node.changes == "all" or context.every_change)
        self._with_late = LATE in context.outputs.get(node, ())
        self._with_olds = node in context.with_olds
        self._keeps_olds = self._every_change and self._with_olds
        self._is_tagged = len(node.parents) > 1
        self._is_count = aggregation.kind == "count"
        self._add, self._initial, self._merge = aggregation.add, aggregation.initial, aggregation.merge
        self._result, self._copy = aggregation.result, state_copier(aggregation, node.value)
        self._store: KeyValueStore[Stamped] = context.stores[node.name]
        self._key_serde = node.inner_key
        self._windowed_serde = WindowedSerde(self._key_serde)

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        if not self._is_tagged:
            return self.split(merged(inputs))
        chunk, dropped = tagged(inputs)
        if dropped:
            self._dropped[self._name, "null key or value"] += dropped
        return self.split(chunk)

    def split(self, chunk: Chunk) -> tuple[Chunk, Chunk]:
        kept = chunk if self._is_tagged else chunk.present()
        if len(kept) < len(chunk):
            self._dropped[self._name, "null key or value"] += len(chunk) - len(kept)
        if not len(kept):
            return empty_chunk(), empty_chunk()
        keys: list[Any] = kept.keys.encoded(self._key_serde)
        before, newest = self._store.clock_ms, max(kept.timestamps)
        told, late = self._apply(keys, kept)
        results = self._told_chunk(kept, told) if told else empty_chunk()
        if newest > before:
            self._store.clock_ms = newest
            if self._emit == "final":
                results = self._close(before, newest)
        return results, self._late_chunk(kept, late)

    def advance(self, stream_time_ms: int) -> Sequence[Chunk]:
        before = self._store.clock_ms
        if stream_time_ms <= before:
            return (empty_chunk(),)
        if stream_time_ms >= MAX_TIME:
            return (self._close_all(before) if self._emit == "final" else empty_chunk(),)
        self._store.clock_ms = stream_time_ms
        return (self._close(before, stream_time_ms) if self._emit == "final" else empty_chunk(),)

    def flush(self) -> Chunk:
        if self._every_change or self._emit == "final":
            return empty_chunk()
        changed = self._store.changed()
        if self._emit == "complete" and changed:
            changed = dict(self._store.scan())
        keys = list(changed)
        olds = results_of(self._store.settled(keys), self._result) if self._with_olds else None
        return self._chunk(keys, list(changed.values()), olds)

    @abstractmethod
    def _apply(self, keys: list[bytes], chunk: Chunk) -> tuple[list[Told], list[int]]:
        """Change the store by these records, all with key and value.

        Returns:
            Each change, if they are to go on at once, else none; and the places of the records that are late.
        """

    @abstractmethod
    def _close(self, before_ms: int, now_ms: int) -> Chunk:
        """The windows that are closed at the stream time `now_ms` and were open at `before_ms`."""

    @abstractmethod
    def _close_all(self, before_ms: int) -> Chunk:
        """All windows that are open at `before_ms`; stream time becomes what closes them."""

    @abstractmethod
    def _windowed_keys(self, stored: Sequence[bytes]) -> list[bytes]:
        """The keys as they go downstream, given those of the store."""

    def _times(self, stored: Sequence[bytes]) -> list[int] | None:
        """The timestamps of results where the keys in the store tell them; None: they are those of the entries."""
        del stored
        return None

    def _chunk(self, stored: Sequence[bytes], entries: Sequence[Stamped], olds: list[Any] | None = None) -> Chunk:
        """Entries of the store as they go downstream."""
        if not stored:
            return empty_chunk()
        return Chunk(
            Column(None, list(self._windowed_keys(stored)), self._windowed_serde),
            Column(results_of(entries, self._result)),
            self._times(stored) or [timestamp for _, timestamp in entries],
            olds=[None] * len(stored) if olds is None and self._with_olds else olds,
        )

    def _told_chunk(self, chunk: Chunk, told: list[Told]) -> Chunk:
        return Chunk(
            Column(None, list(self._windowed_keys([t.stored for t in told])), self._windowed_serde),
            Column([t.value for t in told]),
            [t.timestamp for t in told],
            None,
            None if chunk.order is None else [chunk.order[t.source] for t in told],
            [t.old for t in told] if self._with_olds else None,
        )

    def _late_chunk(self, chunk: Chunk, places: list[int]) -> Chunk:
        if not places:
            return empty_chunk()
        self._dropped[self._name, "late"] += len(places)
        if not self._with_late:
            return empty_chunk()
        late = chunk.take(places)
        return untagged(late) if self._is_tagged else late

    def _shown(self, state: Any) -> Any:
        """The result of a state that may still change."""
        if state is None:
            return None
        if self._result is not None:
            return self._result(state)
        return state if self._copy is None else self._copy(state)

    def _started(self, value: Any) -> Any:
        """The state of a key that has this value alone; None for a deletion."""
        if self._initial is not None:
            return self._add(self._initial(), value)
        # Reason: other steps and other windows have the same value; none may see it change.
        return value if self._copy is None else self._copy(value)


class FixedWindowOperator(WindowedOperator):
    """Windows of one size, stored by their end: those that close are a range at the head of the store."""

    def __init__(self, node: WindowedNode, context: OperatorContext) -> None:
        super().__init__(node, context)
        serde: WindowKeySerde = self._store.spec.key_serde  # type: ignore[assignment]  # what the node declares
        self._start_of, self._grace_ms = serde.start_of, node.windows.grace_ms

    @abstractmethod
    def _closed_before(self, stream_time_ms: int) -> int:
        """The end (ms) before which all windows are closed."""

    @abstractmethod
    def _closing_time(self, end_ms: int) -> int:
        """The stream time (ms) that closes the windows with this end."""

    def _close(self, before_ms: int, now_ms: int) -> Chunk:
        start, end = max(0, self._closed_before(before_ms)), self._closed_before(now_ms)
        return self._ending_in(start, end) if end > start else empty_chunk()

    def _close_all(self, before_ms: int) -> Chunk:
        chunk = self._ending_in(max(0, self._closed_before(before_ms)), MAX_TIME + 1)
        if len(chunk):
            last: Any = chunk.keys.encoded(self._windowed_serde)[-1]
            self._store.clock_ms = min(MAX_TIME, self._closing_time(time_of(last, len(last) - TIME_WIDTH)))
        return chunk

    def _ending_in(self, start_ms: int, end_ms: int) -> Chunk:
        closing = list(self._store.scan(time_bytes(start_ms), time_bytes(end_ms)))
        return self._chunk([key for key, _ in closing], [entry for _, entry in closing])

    def _windowed_keys(self, stored: Sequence[bytes]) -> list[bytes]:
        bounds = {}
        for prefix in {key[:TIME_WIDTH] for key in stored}:
            end = time_of(prefix)
            bounds[prefix] = bounds_bytes(self._start_of(end), end)
        return [key[TIME_WIDTH:] + bounds[key[:TIME_WIDTH]] for key in stored]


def running_times(clock_ms: int, timestamps: list[int]) -> list[int]:
    """Stream time at each record, itself included."""
    return list(accumulate(timestamps, max, initial=clock_ms))[1:]
