"""Windows of fixed size: tumbling, hopping, and the one without end.

A window is stored by its end and the key, and a chunk touches few ends: each is packed once, and a tumbling window
costs a record little more than a key without one. Windows are closed when `end + grace <= stream time`. A hopping
record is late if all its windows are closed; those that are open still take it.
"""

from typing import Any

from framework.chunk import Chunk, take
from framework.operators.aggregate import Stamped, count, count_each, fold, olds_of, results_of
from framework.operators.base import OperatorContext, empty_chunk
from framework.operators.windowed import FixedWindowOperator, Told, running_times
from framework.plan.windows import TimeWindows, UnlimitedWindows, WindowedNode
from state.keys import MAX_TIME, time_bytes

Assigned = tuple[list[bytes], list[int] | None, list[int]]


class TimeWindowOperator(FixedWindowOperator):
    """See the module."""

    def __init__(self, node: WindowedNode, windows: TimeWindows | UnlimitedWindows, context: OperatorContext) -> None:
        super().__init__(node, context)
        self._windows = windows

    def _closed_before(self, stream_time_ms: int) -> int:
        return stream_time_ms - self._grace_ms + 1

    def _closing_time(self, end_ms: int) -> int:
        return end_ms + self._grace_ms

    def _close(self, before_ms: int, now_ms: int) -> Chunk:
        if isinstance(self._windows, UnlimitedWindows):
            return empty_chunk()
        # Reason: time moves with nearly each record; the store is looked into only when it passes where a window ends.
        last, advance = self._closed_before(now_ms) - 1, self._windows.advance_ms
        last_end = last - (last - self._windows.offset_ms - self._windows.size_ms) % advance
        return super()._close(before_ms, now_ms) if last_end >= self._closed_before(before_ms) else empty_chunk()

    def _apply(self, keys: list[bytes], chunk: Chunk) -> tuple[list[Told], list[int]]:
        stored, places, late = self._assign(keys, chunk.timestamps)
        if not stored:
            return [], late
        timestamps = chunk.timestamps if places is None else take(chunk.timestamps, places)
        if self._is_count and not self._every_change:
            count(self._store, stored, timestamps)
            return [], late
        before = self._before(stored) if self._keeps_olds else {}
        if self._is_count:
            results = count_each(self._store, stored, timestamps)
        else:
            decoded = chunk.values.decoded
            results = fold(
                self._store,
                stored,
                decoded if places is None else take(decoded, places),
                timestamps,
                self._add,
                self._initial,
                self._copy,
                each=self._every_change,
                result=self._result,
            )
        if not self._every_change:
            return [], late
        olds: list[Any] = [None] * len(stored)
        if self._keeps_olds:
            olds = [None if old is None else old[0] for old in olds_of(stored, results, before)]
        sources = range(len(stored)) if places is None else places
        rows = zip(sources, stored, results, olds, strict=True)
        return [Told(i, key, value, timestamp, old) for i, key, (value, timestamp), old in rows], late

    def _before(self, stored: list[bytes]) -> dict[bytes, Stamped | None]:
        """What downstream knows of these windows."""
        distinct = dict.fromkeys(stored)
        entries = self._store.get_many(distinct)
        shown = results_of(entries, self._result)
        return {
            key: None if entry is None or entry[0] is None else (value, entry[1])
            for key, entry, value in zip(distinct, entries, shown, strict=True)
        }

    def _assign(self, keys: list[bytes], timestamps: list[int]) -> Assigned:
        """The keys in the store, one for each record and open window of it.

        Returns:
            The keys; the places of their records (None: all records, once each); the places of the late records.
        """
        windows = self._windows
        if isinstance(windows, UnlimitedWindows):
            if self._store.clock_ms >= MAX_TIME:
                return [], None, list(range(len(keys)))
            prefix = time_bytes(MAX_TIME)
            return [prefix + key for key in keys], None, []
        if windows.advance_ms == windows.size_ms:
            return self._assign_one(keys, timestamps, windows)
        return self._assign_several(keys, timestamps, windows)

    def _assign_one(self, keys: list[bytes], timestamps: list[int], windows: TimeWindows) -> Assigned:
        size, offset, clock = windows.size_ms, windows.offset_ms, self._store.clock_ms
        oldest, newest = min(timestamps), max(timestamps)
        first_end = oldest - (oldest - offset) % size + size
        may_be_late = first_end + self._grace_ms <= (newest if newest > clock else clock)
        if not may_be_late and newest < first_end:
            prefix = time_bytes(first_end)
            return [prefix + key for key in keys], None, []
        ends = [t - (t - offset) % size + size for t in timestamps]
        prefixes = {end: time_bytes(end) for end in set(ends)}
        if not may_be_late:
            return [prefixes[end] + key for end, key in zip(ends, keys, strict=True)], None, []
        grace, running = self._grace_ms, running_times(clock, timestamps)
        late = [i for i, (end, now) in enumerate(zip(ends, running, strict=True)) if end + grace <= now]
        if not late:
            return [prefixes[end] + key for end, key in zip(ends, keys, strict=True)], None, []
        left_out = set(late)
        places = [i for i in range(len(keys)) if i not in left_out]
        return [prefixes[ends[i]] + keys[i] for i in places], places, late

    def _assign_several(self, keys: list[bytes], timestamps: list[int], windows: TimeWindows) -> Assigned:
        grace, running = self._grace_ms, running_times(self._store.clock_ms, timestamps)
        prefixes: dict[int, bytes] = {}
        stored: list[bytes] = []
        places: list[int] = []
        late: list[int] = []
        partly_late = 0
        for i, (key, timestamp, now) in enumerate(zip(keys, timestamps, running, strict=True)):
            ends = ends_of(timestamp, windows)
            taking = [end for end in ends if end + grace > now]
            if not taking:
                late.append(i)
            elif len(taking) < len(ends):
                partly_late += 1
            for end in taking:
                prefix = prefixes.get(end)
                if prefix is None:
                    prefix = prefixes[end] = time_bytes(end)
                stored.append(prefix + key)
                places.append(i)
        if partly_late:
            self._dropped[self._name, "late for some of its windows"] += partly_late
        return stored, places, late


def ends_of(timestamp_ms: int, windows: TimeWindows) -> range:
    """The ends of the windows that hold this time, in their order.

    None begins before the epoch, unless no other would hold the time.
    """
    size, advance = windows.size_ms, windows.advance_ms
    last = timestamp_ms - (timestamp_ms - windows.offset_ms) % advance
    first = last - (size - 1 - (timestamp_ms - last)) // advance * advance
    if first < 0:
        first = last if last < 0 else last % advance
    return range(first + size, last + size + 1, advance)
