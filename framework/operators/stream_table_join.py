"""Looks the key of each record of a stream up in a table: as of its place in the order, or as of its timestamp.

Only the stream's records give results, with their own timestamps and headers. A null value is dropped; a null key too,
except by a left join. With a grace (which needs a versioned table) a record waits in a store until the stream's time is
so much later, and then looks up as of its own timestamp: so it sees changes of the table that arrive after it. What
waits leaves in the order of timestamp, then key; a record that comes later than the grace does not wait.

Source: Kafka Streams stream-table joins; cases STJ and SGJ in tests/vectors/streams.yaml.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from framework.chunk import Chunk, Column
from framework.operators.as_of import TableSide, interleaved
from framework.operators.base import EventTimed, Inputs, JoiningOperator, Operator, OperatorContext, empty_chunk
from framework.operators.versioned_table import VersionedSide
from framework.plan.tables import SEQUENCE_BYTES, GlobalJoinNode, StreamTableJoinNode
from serde.parts import Waiting
from state import KeyValueStore
from state.keys import TIME_WIDTH, time_bytes, time_of
from state.versioned import VersionedStore, history_name

_NULLS = "null key or value"


class StreamTableJoinOperator(JoiningOperator):
    """Its parents are the stream, and each change of the table's base."""

    def __init__(self, node: StreamTableJoinNode, context: OperatorContext) -> None:
        self._name, self._dropped = node.name, context.dropped
        self._is_left, self._function = node.kind == "left", node.function
        self._side = TableSide(node.table, context)

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        stream, changes = inputs
        if stream is None:
            return (empty_chunk(),)
        stream = self._kept(stream)
        found = self._look_up(self._side.keys_of(stream), stream, changes)
        return (joined(stream, found, self._function, is_left=self._is_left),)

    def _kept(self, stream: Chunk) -> Chunk:
        if not stream.values.has_none() and (self._is_left or not stream.keys.has_none()):
            return stream
        present = stream.values.is_present()
        if not self._is_left:
            present = [key and value for key, value in zip(stream.keys.is_present(), present, strict=True)]
        kept = stream.select(present)
        self._dropped[self._name, _NULLS] += len(stream) - len(kept)
        return kept

    def _look_up(self, keys: list[Any], stream: Chunk, changes: Chunk | None) -> list[Any]:
        """The table's value for each record of the stream."""
        asked = [key for key in keys if key is not None]
        if changes is None:
            entries: dict[Any, Any] = self._side.now(asked)
            entries[None] = None
            return [None if (entry := entries[key]) is None else entry[0] for key in keys]
        current: dict[Any, Any] = self._side.before(asked, changes)
        changed, values = self._side.keys_of(changes), changes.values.decoded
        found: list[Any] = [None] * len(keys)
        for which, row in interleaved((changes, stream)):
            if which == 0:
                current[changed[row]] = self._side.viewed((values[row], changes.timestamps[row]))
            elif (entry := current.get(keys[row])) is not None:
                found[row] = entry[0]
        return found


class VersionedJoinOperator(StreamTableJoinOperator):
    """With a versioned table: as of each record's timestamp. Its second parent tells each version that was put."""

    def __init__(self, node: StreamTableJoinNode, context: OperatorContext) -> None:
        super().__init__(node, context)
        history: KeyValueStore[Any] = context.stores[history_name(node.table.base.name)]
        self._versions = VersionedSide(VersionedStore(self._side.store, history))

    def _look_up(self, keys: list[Any], stream: Chunk, changes: Chunk | None) -> list[Any]:
        changed = [] if changes is None else self._side.keys_of(changes)
        self._versions.begin(changed, changes)
        found: list[Any] = [None] * len(keys)
        for which, row in interleaved((changes, stream)):
            if which == 0:
                self._versions.follow(changed[row])
            else:
                found[row] = self._as_of(keys[row], stream.timestamps[row])
        return found

    def _as_of(self, key: bytes | None, time_ms: int) -> Any:
        return None if key is None else self._side.view(self._versions.get_as_of(key, time_ms))


class WaitingJoinOperator(VersionedJoinOperator, EventTimed):
    """With a grace: records wait in the store of the step."""

    def __init__(self, node: StreamTableJoinNode, context: OperatorContext) -> None:
        super().__init__(node, context)
        assert node.grace_ms is not None
        self._grace_ms = node.grace_ms
        self._store: KeyValueStore[Any] = context.stores[node.name]

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        stream, versions = inputs
        if stream is None:
            return (empty_chunk(),)
        changed = [] if versions is None else self._side.keys_of(versions)
        self._versions.begin(changed, versions)
        queue = _Queue(self._store, max([self._store.clock_ms, *stream.timestamps]) - self._grace_ms)
        out = _Joined(self._function, is_left=self._is_left)
        keys, values = self._side.keys_of(stream), stream.values.decoded
        queue.look_up(
            [_slot(key, time, 0) for key, time in zip(keys, stream.timestamps, strict=True) if key is not None]
        )
        clock_ms = self._store.clock_ms
        for which, row in interleaved((versions, stream)):
            if which == 0:
                self._versions.follow(changed[row])
                continue
            key, value, timestamp = keys[row], values[row], stream.timestamps[row]
            place = None if stream.order is None else stream.order[row]
            clock_ms = max(clock_ms, timestamp)
            if value is None or (key is None and not self._is_left):
                self._dropped[self._name, _NULLS] += 1
                continue
            waiting = Waiting(value, None if stream.headers is None else stream.headers[row])
            if key is None or timestamp < clock_ms - self._grace_ms:
                out.add(key, waiting, timestamp, self._as_of(key, timestamp), place)
                continue
            queue.add(key, waiting, timestamp)
            self._release(queue, clock_ms, out, place)
        queue.store()
        self._store.clock_ms = clock_ms
        return (out.chunk(self._side.key_serde, has_order=stream.order is not None),)

    def advance(self, stream_time_ms: int) -> Sequence[Chunk]:
        self._versions.begin([], None)
        due_ms = stream_time_ms - self._grace_ms
        queue = _Queue(self._store, due_ms)
        out = _Joined(self._function, is_left=self._is_left)
        self._release(queue, stream_time_ms, out, None)
        queue.store()
        if (last := queue.last_ms) is not None:
            self._store.clock_ms = max(self._store.clock_ms, last + self._grace_ms)
        return (out.chunk(self._side.key_serde, has_order=False),)

    def _release(self, queue: "_Queue", clock_ms: int, out: "_Joined", place: int | None) -> None:
        for key, waiting, timestamp in queue.due(clock_ms - self._grace_ms):
            out.add(key, waiting, timestamp, self._as_of(key, timestamp), place)


class _Queue:
    """What waits, while one chunk is processed: what the store has that may become due, and what comes new."""

    def __init__(self, store: KeyValueStore[Any], due_ms: int) -> None:
        self._store = store
        self._heap: list[tuple[bytes, Any, int]] = []
        self._changes: dict[bytes, Any] = {}
        self._known: dict[bytes, Any] = {}
        self.last_ms: int | None = None
        if due_ms >= 0:
            self._heap = [(slot, entry[0], entry[1]) for slot, entry in store.scan(None, time_bytes(due_ms + 1))]

    def look_up(self, slots: Sequence[bytes]) -> None:
        """Which of these places are taken; to ask for many costs less than for each."""
        self._known = dict(zip(slots, self._store.get_many(slots), strict=True))

    def add(self, key: bytes, waiting: Waiting[Any], timestamp: int) -> None:
        """A record waits."""
        number = 0
        while self._is_taken(slot := _slot(key, timestamp, number)):
            number += 1
        self._changes[slot] = (waiting, timestamp)
        heapq.heappush(self._heap, (slot, waiting, timestamp))

    def _is_taken(self, slot: bytes) -> bool:
        if slot in self._changes:
            entry = self._changes[slot]
        else:
            entry = self._known[slot] if slot in self._known else self._store.get(slot)
        return entry is not None and entry[0] is not None

    def due(self, until_ms: int) -> Iterator[tuple[bytes, Waiting[Any], int]]:
        """Take out what waits for this time (ms) or one before, in order."""
        while self._heap and time_of(self._heap[0][0]) <= until_ms:
            slot, waiting, timestamp = heapq.heappop(self._heap)
            self._changes[slot] = (None, timestamp)
            self.last_ms = timestamp
            yield slot[TIME_WIDTH:-SEQUENCE_BYTES], waiting, timestamp

    def store(self) -> None:
        """Keep what still waits."""
        self._store.put_many(self._changes)


def _slot(key: bytes, timestamp: int, number: int) -> bytes:
    return time_bytes(timestamp) + key + number.to_bytes(SEQUENCE_BYTES)


class _Joined:
    """Collects results one by one."""

    def __init__(self, function: Callable[[Any, Any], Any], *, is_left: bool) -> None:
        self._function, self._is_left = function, is_left
        self._rows: list[tuple[bytes | None, Any, int, Any, int]] = []

    def add(self, key: bytes | None, waiting: Waiting[Any], timestamp: int, other: Any, place: int | None) -> None:
        if other is not None or self._is_left:
            result = self._function(waiting.value, other)
            self._rows.append((key, result, timestamp, waiting.headers, place or 0))

    def chunk(self, key_serde: Any, *, has_order: bool) -> Chunk:
        headers = [row[3] for row in self._rows]
        return Chunk(
            Column(None, [row[0] for row in self._rows], key_serde),
            Column([row[1] for row in self._rows]),
            [row[2] for row in self._rows],
            headers if any(headers) else None,
            [row[4] for row in self._rows] if has_order else None,
        )


class GlobalJoinOperator(Operator):
    """Looks each record up in a global table, by a key taken from its value."""

    def __init__(self, node: GlobalJoinNode, context: OperatorContext) -> None:
        self._name, self._dropped = node.name, context.dropped
        self._is_left, self._function, self._lookup = node.kind == "left", node.function, node.lookup
        self._store = context.global_tables[node.table.name]

    def process(self, chunk: Chunk) -> Chunk:
        stream = chunk.select(chunk.values.is_present()) if chunk.values.has_none() else chunk
        wanted = list(map(self._lookup, stream.values.decoded))
        keys = self._store.spec.key_serde.serialize_many(wanted)
        missing = len(chunk) - len(stream) + (0 if self._is_left else keys.count(None))
        if missing:
            self._dropped[self._name, _NULLS] += missing
        distinct = [key for key in dict.fromkeys(keys) if key is not None]
        entries: dict[Any, Any] = dict(zip(distinct, self._store.get_many(distinct), strict=True))
        found = [None if (entry := entries.get(key)) is None else entry[0] for key in keys]
        return joined(stream, found, self._function, is_left=self._is_left)


def joined(stream: Chunk, found: list[Any], function: Callable[[Any, Any], Any], *, is_left: bool) -> Chunk:
    """The records with `function(value, found)` as values; those that found nothing only by a left join."""
    if not is_left and None in found:
        is_found = [value is not None for value in found]
        stream, found = stream.select(is_found), [value for value in found if value is not None]
    return stream.with_values(list(map(function, stream.values.decoded, found)))


def build_stream_table_join(node: StreamTableJoinNode, context: OperatorContext) -> StreamTableJoinOperator:
    if node.grace_ms is not None:
        return WaitingJoinOperator(node, context)
    if node.table.is_versioned:
        return VersionedJoinOperator(node, context)
    return StreamTableJoinOperator(node, context)
