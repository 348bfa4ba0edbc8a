"""Holds changes of a table back, and lets them go in the order of buffer time, then key.

A key that waits keeps its place when it changes again; the change that goes on replaces what went on before it.
Buffer time is the end of the window, or the timestamp of the first change held back. A row leaves when stream time is
`wait_ms` later than that, or early, when there are too many.

Results that wait for the end of their windows wait for whole chunks: what a chunk says of a window comes before its
close, as windowed steps drop what is late. Everything else goes record by record.

Source: Kafka Streams suppression; cases SUP in tests/vectors/streams.yaml. Unlike there, a change that goes on says it
replaces what went on before it, not the last that was held back.
"""

import heapq
from collections.abc import Callable, Sequence
from typing import Any

from framework.chunk import Chunk, Column
from framework.operators.base import EventTimed, Operator, OperatorContext, empty_chunk
from framework.plan.tables import SIZE, TIMES, SuppressNode
from serde.parts import Change
from serde.windowed import WindowedSerde
from state import KeyValueStore
from state.keys import MAX_TIME, TIME_WIDTH, time_bytes, time_of

_ROWS, _BYTES = b"rows", b"bytes"


class BufferFull(Exception):
    """More is held back than allowed, with `when_full="stop"`."""


class SuppressOperator(Operator, EventTimed):
    """See the module."""

    def __init__(self, node: SuppressNode, context: OperatorContext) -> None:
        self._node, self._with_olds = node, node in context.with_olds
        self._held: KeyValueStore[Any] = context.stores[node.name]
        self._times = None if node.is_until_close else context.stores[node.name + TIMES]
        self._size = context.stores.get(node.name + SIZE)
        self._key_serde = self._held.spec.key_serde.inner  # type: ignore[attr-defined]  # a TimedKeySerde
        self._end_of = _end_of_window(self._key_serde) if node.is_until_close else None

    def process(self, chunk: Chunk) -> Chunk:
        keyed = chunk.select(chunk.keys.is_present()) if chunk.keys.has_none() else chunk
        if not len(keyed):
            return empty_chunk()
        clock_ms = self._held.clock_ms
        buffer = _Buffer(self._node, self._held, self._times, self._size)
        rows = _Rows(self._key_serde, with_olds=self._with_olds)
        keys: list[Any] = keyed.keys.encoded(self._key_serde)
        olds = keyed.olds if keyed.olds is not None else [None] * len(keyed)
        values, timestamps = keyed.values.decoded, keyed.timestamps
        times = list(map(self._end_of, keys)) if self._end_of else timestamps
        buffer.look_up(keys, times)
        for i, (key, value, timestamp, old) in enumerate(zip(keys, values, timestamps, olds, strict=True)):
            clock_ms = max(clock_ms, timestamp)
            buffer.hold(key, times[i], value, timestamp, old)
            if self._end_of is None or i == len(keys) - 1:
                self._release(buffer, clock_ms, rows, None if keyed.order is None else keyed.order[i])
        buffer.store()
        self._held.clock_ms = clock_ms
        return rows.chunk(has_order=keyed.order is not None)

    def advance(self, stream_time_ms: int) -> Sequence[Chunk]:
        buffer = _Buffer(self._node, self._held, self._times, self._size)
        rows = _Rows(self._key_serde, with_olds=self._with_olds)
        self._release(buffer, stream_time_ms, rows, None)
        buffer.store()
        if self._node.wait_ms is not None and buffer.last_ms is not None:
            self._held.clock_ms = max(self._held.clock_ms, buffer.last_ms + self._node.wait_ms)
        return (rows.chunk(has_order=False),)

    def _release(self, buffer: "_Buffer", clock_ms: int, rows: "_Rows", place: int | None) -> None:
        node = self._node
        if node.wait_ms is not None:
            while (first_ms := buffer.first_ms()) is not None and first_ms <= clock_ms - node.wait_ms:
                self._let_go(buffer, rows, place)
        if buffer.is_too_full() and not node.is_emitting_when_full:
            raise BufferFull(
                f"{buffer.rows} rows of {buffer.bytes} bytes are held back, more than the limits allow "
                f"(max_records={node.max_records}, max_bytes={node.max_bytes})"
            )
        while buffer.is_too_full():
            self._let_go(buffer, rows, place)

    def _let_go(self, buffer: "_Buffer", rows: "_Rows", place: int | None) -> None:
        key, change, timestamp = buffer.take_first()
        # Reason: nothing of a window went on before its close, so there is nothing to delete.
        if change.new is not None or not self._node.is_until_close:
            rows.add(key, change, timestamp, place)


class _Buffer:
    """What is held back, while one chunk is processed; nothing is changed in the stores before `store`."""

    def __init__(
        self,
        node: SuppressNode,
        held: KeyValueStore[Any],
        times: KeyValueStore[Any] | None,
        size: KeyValueStore[Any] | None,
    ) -> None:
        self._node, self._held, self._times, self._size = node, held, times, size
        self._changes: dict[bytes, Any] = {}
        self._known: dict[bytes, Any] = {}
        self._known_times: dict[bytes, Any] = {}
        self._new_times: dict[bytes, Any] = {}
        self._heap: list[bytes] = []
        self._stored = held.scan()
        self._next = next(self._stored, None)
        self.last_ms: int | None = None
        rows, bytes_ = (None, None) if size is None else size.get_many((_ROWS, _BYTES))
        self.rows, self.bytes = 0 if rows is None else rows[0], 0 if bytes_ is None else bytes_[0]

    def look_up(self, keys: Sequence[bytes], times: Sequence[int]) -> None:
        """What is held back of these keys, which have these buffer times if they have none yet."""
        if self._times is None:
            slots = [time_bytes(time_ms) + key for key, time_ms in dict(zip(keys, times, strict=True)).items()]
        else:
            distinct = dict.fromkeys(keys)
            self._known_times = dict(zip(distinct, self._times.get_many(distinct), strict=True))
            slots = [
                time_bytes(entry[0]) + key
                for key, entry in self._known_times.items()
                if entry is not None and entry[0] is not None
            ]
        self._known = dict(zip(slots, self._held.get_many(slots), strict=True))

    def hold(self, key: bytes, time_ms: int, value: Any, timestamp: int, old: Any) -> None:
        """Hold a change back: in its key's place, or in a new one."""
        slot = time_bytes(self._time_of(key, time_ms)) + key
        entry = self._entry(slot)
        if entry is None:
            heapq.heappush(self._heap, slot)
            self._set_time(key, time_of(slot))
            self.rows += 1
            change = Change(value, old)
        else:
            change = Change(value, entry[0].old)
            self.bytes -= self._bytes_of(slot, entry[0])
        self._changes[slot] = (change, timestamp)
        self.bytes += self._bytes_of(slot, change)

    def first_ms(self) -> int | None:
        """The smallest buffer time."""
        slot = self._first()
        return None if slot is None else time_of(slot)

    def take_first(self) -> tuple[bytes, Change[Any], int]:
        """Take out the row with the smallest buffer time, of equal ones that with the smallest key."""
        slot = self._first()
        assert slot is not None
        if self._heap and self._heap[0] == slot:
            heapq.heappop(self._heap)
        entry = self._entry(slot)
        assert entry is not None
        self._changes[slot] = (None, entry[1])
        key = slot[TIME_WIDTH:]
        self._set_time(key, None)
        self.rows -= 1
        self.bytes -= self._bytes_of(slot, entry[0])
        self.last_ms = time_of(slot)
        return key, entry[0], entry[1]

    def is_too_full(self) -> bool:
        """True if there is more than the limits allow."""
        node = self._node
        return (node.max_records is not None and self.rows > node.max_records) or (
            node.max_bytes is not None and self.bytes > node.max_bytes
        )

    def store(self) -> None:
        """Keep what is held back."""
        self._held.put_many(self._changes)
        if self._times is not None:
            self._times.put_many(self._new_times)
        if self._size is not None:
            self._size.put_many({_ROWS: (self.rows, 0), _BYTES: (self.bytes, 0)})

    def _first(self) -> bytes | None:
        while self._next is not None and not _is_there(self._changes.get(self._next[0], self._next[1])):
            self._next = next(self._stored, None)
        waiting = None if self._next is None else self._next[0]
        if self._heap and (waiting is None or self._heap[0] < waiting):
            return self._heap[0]
        return waiting

    def _entry(self, slot: bytes) -> Any:
        if slot in self._changes:
            entry = self._changes[slot]
        elif self._next is not None and self._next[0] == slot:
            entry = self._next[1]
        else:
            entry = self._known.get(slot)
        return entry if _is_there(entry) else None

    def _time_of(self, key: bytes, time_ms: int) -> int:
        """The buffer time of a key: the one it has, else this."""
        if self._times is None:
            return time_ms
        entry = self._new_times[key] if key in self._new_times else self._known_times.get(key)
        return time_ms if entry is None or entry[0] is None else int(entry[0])

    def _set_time(self, key: bytes, time_ms: int | None) -> None:
        if self._times is not None:
            self._new_times[key] = (time_ms, time_ms or 0)

    def _bytes_of(self, slot: bytes, change: Change[Any]) -> int:
        if self._node.max_bytes is None:
            return 0
        return len(slot) + len(self._held.spec.value_serde.serialize(change))


def _is_there(entry: Any) -> bool:
    return entry is not None and entry[0] is not None


class _Rows:
    """Collects what goes on."""

    def __init__(self, key_serde: Any, *, with_olds: bool) -> None:
        self._key_serde, self._with_olds = key_serde, with_olds
        self._rows: list[tuple[bytes, Change[Any], int, int]] = []

    def add(self, key: bytes, change: Change[Any], timestamp: int, place: int | None) -> None:
        self._rows.append((key, change, timestamp, place or 0))

    def chunk(self, *, has_order: bool) -> Chunk:
        return Chunk(
            Column(None, [key for key, _, _, _ in self._rows], self._key_serde),
            Column([change.new for _, change, _, _ in self._rows]),
            [timestamp for _, _, timestamp, _ in self._rows],
            None,
            [place for _, _, _, place in self._rows] if has_order else None,
            [change.old for _, change, _, _ in self._rows] if self._with_olds else None,
        )


def _end_of_window(serde: WindowedSerde) -> Callable[[bytes], int]:
    return lambda key: min(serde.deserialize(key).end, MAX_TIME)
