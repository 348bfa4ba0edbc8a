"""Join of two streams over time.

A record of one side meets the rows of the other that are kept there: of its key, in its window, and not older than the
other side's own stream time less before + after + grace. Each side is kept by its own time, so the silence of one side
makes the other forget nothing. Stream time, which closes windows, is that of both sides together.

A row's window is closed when its end + grace < stream time: the end belongs to the window. A row of an outer side that
nothing matched goes out with None when its window is closed, in the order of time, at equal times right before left,
then by key, then by arrival. A record that is skipped moves no time. Out of order or late:

| a record whose window is | meets | unmatched, on an outer side |
|---|---|---|
| open, however old | what is still kept | waits |
| closed: it is late | what is still kept; nothing with `late="drop"` | goes out at once with None; dropped |

Source: Kafka Streams' stream-stream join; unlike it, a record that is out of order within the grace waits for its match
like any other, where Kafka Streams sends a null row at once and perhaps a match later.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import chain, repeat
from typing import Any

from framework.chunk import Chunk, Column
from framework.operators.base import EventTimed, Inputs, JoiningOperator, OperatorContext, empty_chunk
from framework.operators.mutability import copier
from framework.plan.joins import LATE_LEFT, LATE_RIGHT, StreamJoinNode
from framework.plan.topics import serde_for
from framework.records import Headers
from serde import Serde
from state import BucketStore, KeyValueStore
from state.buckets import number_of, prefix_of, suffix_of
from state.keys import MAX_TIME, time_bytes
from state.unmatched import LEFT, RIGHT, UnmatchedKey, unmatched_bytes, unmatched_row

Copy = Callable[[Any], Any]


@dataclass(eq=False, slots=True)
class Side:
    """One side: its rows, how far (ms) before and after a record of it the other's rows may lie, what is outer."""

    rank: int
    store: BucketStore
    before_ms: int
    after_ms: int
    is_outer: bool
    copy: Copy | None
    other: "Side" = field(init=False)


@dataclass(slots=True)
class Results:
    """What goes out, as parallel lists; `place` and `of_record` are place and headers of the record that causes it."""

    key_serde: Serde[Any]
    keys: list[bytes | None] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    timestamps: list[int] = field(default_factory=list)
    headers: list[Headers | None] = field(default_factory=list)
    order: list[int] = field(default_factory=list)
    place: int = 0
    of_record: Headers | None = None

    def add(self, key: bytes | None, value: Any, timestamp: int, headers: Headers | None = None) -> None:
        self.keys.append(key)
        self.values.append(value)
        self.timestamps.append(timestamp)
        self.headers.append(headers)
        self.order.append(self.place)

    def chunk(self, *, is_ordered: bool) -> Chunk:
        return Chunk(
            Column(None, self.keys, self.key_serde),
            Column(self.values),
            self.timestamps,
            self.headers if any(self.headers) else None,
            self.order if is_ordered else None,
        )


class Waiting:
    """The unmatched rows during one chunk: those that may go out in it are read by one scan, changes kept to the end.

    Args:
        store: the index.
        bound_ms: rows whose windows end before this may go out.
    """

    def __init__(self, store: KeyValueStore[Any], bound_ms: int) -> None:
        self._store, self._bound_ms = store, bound_ms
        self._changes: dict[bytes, tuple[bytes | None, int]] = {}
        self._waits: dict[bytes, bool] = {}  # of the rows that the chunk has met
        self._due = [key for key, _ in store.scan(None, time_bytes(bound_ms))] if bound_ms > 0 else []
        heapify(self._due)

    def add(self, side: Side, key: bytes, time_ms: int, suffix: bytes) -> None:
        """This row waits, as nothing has matched it."""
        end_ms = time_ms + side.after_ms
        index = unmatched_bytes(end_ms, time_ms, side.rank, number_of(suffix), key)
        self._waits[index] = True
        self._changes[index] = (b"", time_ms)
        if end_ms < self._bound_ms:
            heappush(self._due, index)

    def never(self, side: Side, key: bytes, time_ms: int, suffix: bytes) -> None:
        """This new row need not wait: something matched it when it came."""
        self._waits[unmatched_bytes(time_ms + side.after_ms, time_ms, side.rank, number_of(suffix), key)] = False

    def matched(self, side: Side, key: bytes, time_ms: int, suffix: bytes) -> None:
        """Something has matched this row; it waits no longer."""
        index = unmatched_bytes(time_ms + side.after_ms, time_ms, side.rank, number_of(suffix), key)
        waits = self._waits.get(index)
        if waits:
            del self._changes[index]
        elif waits is None:
            entry = self._store.get(index)
            if entry is not None and entry[0] is not None:
                self._changes[index] = (None, time_ms)
        self._waits[index] = False

    def closed(self, bound_ms: int) -> list[UnmatchedKey]:
        """The rows whose windows end before this (ms); they wait no longer."""
        rows = []
        bound = time_bytes(max(0, bound_ms))
        while self._due and self._due[0] < bound:
            index = heappop(self._due)
            waits = self._waits.get(index)
            if waits is False:
                continue
            row = unmatched_row(index)
            rows.append(row)
            if waits:
                del self._changes[index]
            else:
                self._changes[index] = (None, row.time)
            self._waits[index] = False
        return rows

    def store(self, stream_time_ms: int) -> None:
        """Put the changes into the store, and its clock."""
        changes = self._changes
        self._store.remember_absent(
            [index for index, waits in self._waits.items() if not waits and index not in changes]
        )
        self._store.put_many(changes)
        self._store.clock_ms = max(self._store.clock_ms, stream_time_ms)


Outcome = tuple[Results, Waiting | None]


class StreamJoinOperator(JoiningOperator, EventTimed):
    """See the module."""

    def __init__(self, node: StreamJoinNode, context: OperatorContext) -> None:
        self._name, self._kind, self._function = node.name, node.kind, node.function
        self._dropped, self._drops_late = context.dropped, node.late == "drop"
        self._with_late = tuple(output in context.outputs.get(node, ()) for output in (LATE_LEFT, LATE_RIGHT))
        self._key_serde = serde_for(node.key.known)
        window = node.window
        self._retention_ms, self._grace_ms, self._segment_ms = window.retention_ms, window.grace_ms, window.segment_ms
        left, right = node.parents
        stores: Any = context.stores
        self._left = Side(
            LEFT,
            stores[node.left_store],
            window.before_ms,
            window.after_ms,
            node.kind in ("left", "outer"),
            copier(left.value.known),
        )
        self._right = Side(
            RIGHT,
            stores[node.right_store],
            window.after_ms,
            window.before_ms,
            node.kind == "outer",
            copier(right.value.known),
        )
        self._left.other, self._right.other = self._right, self._left
        self._unmatched: KeyValueStore[Any] | None = stores.get(node.unmatched_store)

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        left, right = inputs
        results = Results(self._key_serde)
        now = self._stream_time_ms()
        times = [[] if chunk is None else chunk.timestamps for chunk in (left, right)]
        headers = [None if chunk is None else chunk.headers for chunk in (left, right)]
        keys = [[] if chunk is None else chunk.keys.encoded(self._key_serde) for chunk in (left, right)]
        values = [[] if chunk is None else chunk.values.decoded for chunk in (left, right)]
        newest = max(now, *(max(column) for column in times if column))
        waiting = None if self._unmatched is None else Waiting(self._unmatched, newest - self._grace_ms)
        outcome = (results, waiting)
        sides = (self._left, self._right)
        late: tuple[list[int], list[int]] = ([], [])
        drops_late, is_semi, grace_ms = self._drops_late, self._kind == "semi", self._grace_ms
        for place, which, i in _interleaved(left, right):
            this, key, value, timestamp = sides[which], keys[which][i], values[which][i], times[which][i]
            if value is None or (key is None and not this.is_outer):
                self._dropped[self._name, "null key or value"] += 1
                continue
            results.place, results.of_record = place, None if (column := headers[which]) is None else column[i]
            if timestamp > now:
                now = timestamp
                if waiting is not None:
                    self._close(waiting, now, results)
            if key is None:
                results.add(None, self._joined(this, value, None), timestamp, results.of_record)
            elif drops_late and timestamp + this.after_ms + grace_ms < now:
                late[which].append(i)
            elif is_semi:
                self._pass(this, key, value, timestamp, results)
            else:
                self._join(this, key, value, timestamp, now, outcome)
        if waiting is not None:
            waiting.store(now)
        is_ordered = all(chunk is None or chunk.order is not None for chunk in inputs)
        if dropped := len(late[0]) + len(late[1]):
            self._dropped[self._name, "late"] += dropped
        return results.chunk(is_ordered=is_ordered), *self._late_chunks(inputs, late)

    def _late_chunks(self, inputs: Inputs, late: tuple[list[int], list[int]]) -> Iterator[Chunk]:
        """The late records of each side, where somebody reads them."""
        for chunk, places, is_read in zip(inputs, late, self._with_late, strict=True):
            yield chunk.take(places) if chunk is not None and places and is_read else empty_chunk()

    def advance(self, stream_time_ms: int) -> Sequence[Chunk]:
        if self._unmatched is None or stream_time_ms <= self._unmatched.clock_ms:
            return ()
        waiting, results = Waiting(self._unmatched, stream_time_ms - self._grace_ms), Results(self._key_serde)
        last_end_ms = self._close(waiting, stream_time_ms, results)
        if stream_time_ms >= MAX_TIME:
            stream_time_ms = max(self._unmatched.clock_ms, last_end_ms + self._grace_ms + 1)
        waiting.store(stream_time_ms)
        return (results.chunk(is_ordered=False),)

    def _stream_time_ms(self) -> int:
        sides = max(self._left.store.clock_ms, self._right.store.clock_ms)
        return sides if self._unmatched is None else max(sides, self._unmatched.clock_ms)

    def _join(self, this: Side, key: bytes, value: Any, timestamp: int, now: int, outcome: Outcome) -> None:
        other, (results, waiting) = this.other, outcome
        found = self._rows(this, other, key, timestamp)
        for suffix, (row, row_ms) in found:
            results.add(key, self._joined(this, value, row), max(timestamp, row_ms), results.of_record)
            if waiting is not None and other.is_outer and row_ms + other.after_ms + self._grace_ms >= now:
                waiting.matched(other, key, row_ms, suffix)
        is_waiting = False
        if this.is_outer:
            is_waiting = timestamp + this.after_ms + self._grace_ms >= now
            if not found and not is_waiting:
                results.add(key, self._joined(this, value, None), timestamp, results.of_record)
        suffix_or_none = self._keep(this, key, value, timestamp)
        if is_waiting:
            # Invariant: a row whose window is open is kept, because its side's time is not beyond stream time.
            assert suffix_or_none is not None and waiting is not None
            note = waiting.never if found else waiting.add
            note(this, key, timestamp, suffix_or_none)

    def _pass(self, this: Side, key: bytes, value: Any, timestamp: int, results: Results) -> None:
        """Semi-join: left rows wait in their store until something matches them, and pass once."""
        left, right = self._left, self._right
        found = self._rows(this, this.other, key, timestamp)
        if this is right:
            for suffix, (row, row_ms) in found:
                results.add(key, row if left.copy is None else left.copy(row), max(timestamp, row_ms))
                left.store.remove(key, suffix)
            self._keep(right, key, b"", timestamp)
        elif found:
            results.add(key, value, max(timestamp, found[0][1][1]), results.of_record)
            left.store.clock_ms = max(left.store.clock_ms, timestamp)
        else:
            self._keep(left, key, value, timestamp)

    def _rows(self, this: Side, other: Side, key: bytes, timestamp: int) -> list[tuple[bytes, tuple[Any, int]]]:
        store, clock = other.store, other.store.clock_ms
        oldest, newest = timestamp - this.before_ms, timestamp + this.after_ms
        if (kept := clock - self._retention_ms) > oldest:
            oldest = kept
        newest = min(newest, clock)
        return store.rows(key, oldest, newest) if oldest <= newest else []

    def _keep(self, side: Side, key: bytes, value: Any, timestamp: int) -> bytes | None:
        """Keep a row; its suffix, or None if its side is already past it."""
        if timestamp < side.store.clock_ms - self._retention_ms:
            return None
        return side.store.add(key, timestamp, value)

    def _joined(self, this: Side, value: Any, other: Any) -> Any:
        """The user's result for a value of this side and one of the other, or None."""
        left, right = (value, other) if this is self._left else (other, value)
        # Reason: a function may change what it is given; what is kept must not change.
        if left is not None and self._left.copy is not None:
            left = self._left.copy(left)
        if right is not None and self._right.copy is not None:
            right = self._right.copy(right)
        assert self._function is not None
        return self._function(left, right)

    def _close(self, waiting: Waiting, now: int, results: Results) -> int:
        """Send the unmatched rows whose windows are closed now; the end (ms) of the last one, -1 if there is none."""
        closed = sorted(waiting.closed(now - self._grace_ms))
        entries: dict[UnmatchedKey, Any] = {}
        for side in (self._left, self._right):
            rows = [row for row in closed if row.side == side.rank]
            places = [prefix_of(r.key, r.time, self._segment_ms) + suffix_of(r.time, r.number) for r in rows]
            entries.update(zip(rows, side.store.get_many(places), strict=True))
        last_end_ms = -1
        for row in closed:
            side = self._left if row.side == LEFT else self._right
            results.add(row.key, self._joined(side, entries[row][0], None), row.time)
            last_end_ms = max(last_end_ms, row.time + side.after_ms)
        return last_end_ms


def _interleaved(left: Chunk | None, right: Chunk | None) -> Iterable[tuple[int, int, int]]:
    """The records of both chunks in their order: place, side (0 left, 1 right), index."""
    if left is right:
        # Reason: in a join with itself each record comes first as a left, then as a right one, before the next does.
        assert left is not None
        places = left.order or repeat(0)
        return ((place, which, i) for i, place in zip(range(len(left)), places, strict=False) for which in (0, 1))
    sides = [(which, chunk) for which, chunk in ((0, left), (1, right)) if chunk is not None]
    records = chain.from_iterable(zip(chunk.order or repeat(0), repeat(w), range(len(chunk))) for w, chunk in sides)
    if len(sides) == 2 and all(chunk.order is not None for _, chunk in sides):
        return sorted(records)
    return records
