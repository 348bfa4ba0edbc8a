"""Sliding windows: one ends at each record, and one begins 1 ms after it where that holds records.

Both ends belong to a window. Windows begin at the epoch at the earliest, so records with times below the difference
share `[0, difference]`. A window that exists and is open takes each record that falls into it. One that comes to be
starts with all records of its span, in the order of their arrival; these are kept beside the windows for as long as
that may happen, so any function can be used, and nothing has to be taken out again. A window is closed when
`end + grace < stream time`. A record that no open window takes is late. Source: Kafka Streams' sliding windows; the
vectors SLI-*.

Which windows a key has follows from its records' times: a chunk reads the records around it from one or two buckets per
key, and the windows by their keys.
"""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from typing import Any

from framework.chunk import Chunk
from framework.operators.aggregate import Stamped
from framework.operators.base import OperatorContext
from framework.operators.windowed import FixedWindowOperator, Told, running_times
from framework.plan.windows import SlidingWindows, WindowedNode, rows_name
from state import BucketStore
from state.keys import TIME_WIDTH, time_bytes, time_of
from state.windowed_keys import arrival_key

Row = tuple[int, int, Any]  # time, number in the order of arrival, value


@dataclass(slots=True)
class Around:
    """What there is of a key around the records of a chunk: rows by time, windows by start, starts sorted."""

    rows: list[Row]
    number: int = 0  # of the next row
    starts: list[int] = field(default_factory=list)
    windows: dict[int, Stamped] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)  # windows whose state was made in this chunk


class SlidingOperator(FixedWindowOperator):
    """See the module."""

    def __init__(self, node: WindowedNode, windows: SlidingWindows, context: OperatorContext) -> None:
        super().__init__(node, context)
        self._difference = windows.difference_ms
        rows = context.stores[rows_name(node.name)]
        assert isinstance(rows, BucketStore)
        self._rows = rows
        self._segment_ms = self._rows.spec.segment_ms

    def _closed_before(self, stream_time_ms: int) -> int:
        return stream_time_ms - self._grace_ms

    def _closing_time(self, end_ms: int) -> int:
        return end_ms + self._grace_ms + 1

    def _apply(self, keys: list[bytes], chunk: Chunk) -> tuple[list[Told], list[int]]:
        difference, timestamps = self._difference, chunk.timestamps
        values: list[Any] = [True] * len(keys) if self._is_count else chunk.values.decoded
        around = self._read_around(keys, timestamps)
        changed: dict[bytes, Stamped] = {}
        rows: dict[bytes, Stamped] = {}
        told: list[Told] = []
        late: list[int] = []
        running = running_times(self._store.clock_ms, timestamps)
        for i, (key, value, time, now) in enumerate(zip(keys, values, timestamps, running, strict=True)):
            here, limit = around[key], now - self._grace_ms
            taking, new = self._windows_for(here, time, limit)
            if not taking and not any(start <= time for start in new):
                late.append(i)
                continue
            # Order: before the states are added to, because that may change them in place.
            olds = {start: self._shown(here.windows[start][0]) for start in taking} if self._keeps_olds else {}
            states: dict[int, Stamped] = {start: self._added(here, start, value, time) for start in taking}
            states.update((start, self._new_state(here, start, value, time)) for start in new)
            for start in sorted(states):
                state, newest = states[start]
                place = time_bytes(start + difference) + key
                changed[place] = (state, newest)
                if self._every_change:
                    told.append(Told(i, place, self._shown(state), newest, olds.get(start)))
                self._put(here, start, states[start])
            insort(here.rows, (time, here.number, value), key=_time_and_number)
            rows[arrival_key(key, time, here.number, self._segment_ms)] = (value, time)
            here.number += 1
        self._store.put_many(changed)
        self._rows.put_many(rows)
        self._rows.clock_ms = running[-1]
        return told, late

    def _windows_for(self, here: Around, time: int, limit: int) -> tuple[list[int], list[int]]:
        """The starts of the open windows that take a record, and of those that come to be by it."""
        difference, oldest = self._difference, max(0, limit - self._difference)
        low, high = bisect_left(here.starts, max(oldest, time - difference)), bisect_right(here.starts, time)
        taking = here.starts[low:high]
        new = []
        if (left := max(0, time - difference)) not in here.windows and left >= oldest:
            new.append(left)
        before = bisect_left(here.rows, time, key=_time_of) - 1
        if before >= 0:
            after_previous = here.rows[before][0] + 1
            if after_previous not in here.windows and after_previous >= max(oldest, time - difference):
                new.append(after_previous)
        if time + 1 not in here.windows and self._in_span(here, time + 1):
            new.append(time + 1)
        return taking, list(dict.fromkeys(new))

    def _in_span(self, here: Around, start: int) -> list[Row]:
        """The rows of a window, by time."""
        low = bisect_left(here.rows, start, key=_time_of)
        return here.rows[low : bisect_right(here.rows, start + self._difference, key=_time_of)]

    def _added(self, here: Around, start: int, value: Any, time: int) -> Stamped:
        state, newest = here.windows[start]
        if self._copy is not None and start not in here.own:
            state = self._copy(state)
        return self._add(state, value), max(newest, time)

    def _new_state(self, here: Around, start: int, value: Any, time: int) -> Stamped:
        """The state of a window that comes to be: its rows in the order of arrival, the record itself last."""
        rows = sorted(self._in_span(here, start), key=_number_of)
        values = [row_value for _, _, row_value in rows]
        times = [row_time for row_time, _, _ in rows]
        if start <= time:
            values.append(value)
            times.append(time)
        state = self._started(values[0])
        for other in values[1:]:
            state = self._started(other) if state is None else self._add(state, other)
        return state, max(times)

    def _put(self, here: Around, start: int, entry: Stamped) -> None:
        known = start in here.windows
        if entry[0] is None:
            if known:
                del here.windows[start]
                here.starts.remove(start)
            return
        here.windows[start] = entry
        here.own.add(start)
        if not known:
            insort(here.starts, start)

    def _read_around(self, keys: list[bytes], timestamps: list[int]) -> dict[bytes, Around]:
        """What is stored of each key around its records of this chunk."""
        spans: dict[bytes, tuple[int, int]] = {}
        for key, time in zip(keys, timestamps, strict=True):
            oldest, newest = spans.get(key, (time, time))
            spans[key] = (time if time < oldest else oldest, time if time > newest else newest)
        around = {key: self._read_rows(key, *span) for key, span in spans.items()}
        wanted: dict[bytes, tuple[Around, int]] = {}
        for key, (oldest, newest) in spans.items():
            here = around[key]
            times = {time for time, _, _ in here.rows}
            starts = {max(0, time - self._difference) for time in times} | {time + 1 for time in times}
            for start in starts:
                if oldest - self._difference <= start <= newest + 1:
                    wanted[time_bytes(start + self._difference) + key] = (here, start)
        for (here, start), entry in zip(wanted.values(), self._store.get_many(wanted), strict=True):
            if entry is not None and entry[0] is not None:
                here.windows[start] = entry
        for here in around.values():
            here.starts = sorted(here.windows)
        return around

    def _read_rows(self, key: bytes, oldest: int, newest: int) -> Around:
        reach = self._difference + 1
        found = self._rows.rows(key, oldest - reach, newest + reach)
        rows = [(time_of(suffix), time_of(suffix, TIME_WIDTH), value) for suffix, (value, _) in found]
        return Around(rows, max((number + 1 for _, number, _ in rows), default=0))


def _time_of(row: Row) -> int:
    return row[0]


def _number_of(row: Row) -> int:
    return row[1]


def _time_and_number(row: Row) -> tuple[int, int]:
    return row[:2]
