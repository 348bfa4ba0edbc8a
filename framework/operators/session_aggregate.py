"""Sessions: records of a key with no silence longer than the gap.

A session keeps its first and last record's times, and until when it is open: the greatest of its records' time + gap.
A record joins every session of its key that is open until the record's time or later and begins within the record's own
gap; with one gap for all, that is silence <= gap. Sessions joined by one record become one: their states are merged
into a fresh initial one, in the order of time, and then the record is added. The record is late if even the joined
session is closed, `until + grace < stream time`.

| emit | closed sessions |
|---|---|
| final | have been sent; no record joins them any more |
| changes | are joined for two gaps more by records that are not late, which show that the session went on |
| complete | stay, and are joined, for ever |

A session may not become longer than `max_length`: of the sessions that a record touches it joins the nearest first,
each only if all together fit; if none does, it begins a new one.

Two stores: the sessions, whose entries carry as timestamp until when they are open, and the times at which to look for
closed ones, by key. A time is noted when a session begins, and again when it is found still open then: a busy session
costs one note per gap, not per record. Both are logged, so a restore needs no scan. The notes are a queue, whose clock
is up to when was looked: what was looked at needs no deletion, and a note for a time within the same transaction is
never written.

Records are applied one by one to the sessions of their keys, which the store lends as objects; what became of them in
the chunk is put down once, at its end.
"""

from collections.abc import Sequence
from typing import Any

from framework.chunk import Chunk
from framework.operators.aggregate import Stamped
from framework.operators.base import OperatorContext
from framework.operators.windowed import Told, WindowedOperator, running_times
from framework.plan.windows import SessionWindows, WindowedNode, due_name
from state import KeyValueStore, Session, SessionStore
from state.keys import MAX_TIME, TIME_WIDTH, time_bytes
from state.windowed_keys import session_end, session_windowed

_NEVER = MAX_TIME + 1


class SessionOperator(WindowedOperator):
    """See the module."""

    def __init__(self, node: WindowedNode, windows: SessionWindows, context: OperatorContext) -> None:
        super().__init__(node, context)
        self._gap, self._grace_ms = windows.gap_ms, windows.grace_ms
        self._max_length = _NEVER if windows.max_length_ms is None else windows.max_length_ms
        assert isinstance(self._store, SessionStore)
        self._sessions = self._store
        self._due: KeyValueStore[Stamped] = context.stores[due_name(node.name)]
        self._gaps_more: int | None = {"final": 0, "changes": 2, "complete": None}[node.emit]
        self._chunk_number = 0
        # Of the chunk in hand:
        self._ended: list[Session] = []
        self._touched: list[Session] = []
        self._notes: dict[bytes, Stamped] = {}
        self._told: list[Told] = []

    def flush(self) -> Chunk:
        chunk = super().flush()
        if self._emit == "changes":
            # Order: only now, because what is deleted here was sent as it is, and is not to be followed by a tombstone.
            self._take_forgotten(self._store.clock_ms - self._grace_ms)
        return chunk

    def _chunk(self, stored: Sequence[bytes], entries: Sequence[Stamped], olds: list[Any] | None = None) -> Chunk:
        gone = [key for key, entry in zip(stored, entries, strict=True) if entry[0] is None]
        if not gone:
            return super()._chunk(stored, entries, olds)
        # Reason: a session that came and went since the last flush was never seen downstream.
        unseen = {key for key, was_shown in zip(gone, self._sessions.were_shown(gone), strict=True) if not was_shown}
        kept = [i for i, key in enumerate(stored) if key not in unseen]
        olds = None if olds is None else [olds[i] for i in kept]
        return super()._chunk([stored[i] for i in kept], [entries[i] for i in kept], olds)

    def _times(self, stored: Sequence[bytes]) -> list[int]:
        return list(map(session_end, stored))

    def _windowed_keys(self, stored: Sequence[bytes]) -> list[bytes]:
        return list(map(session_windowed, stored))

    def _apply(self, keys: list[bytes], chunk: Chunk) -> tuple[list[Told], list[int]]:
        self._ended, self._touched, self._notes, self._told = [], [], {}, []
        self._chunk_number += 1
        timestamps, gap_of = chunk.timestamps, self._gap
        values: list[Any] = timestamps if self._is_count and not callable(gap_of) else chunk.values.decoded
        gaps = list(map(gap_of, values)) if callable(gap_of) else [gap_of] * len(keys)
        sessions = self._sessions.of_keys(dict.fromkeys(keys))
        late: list[int] = []
        running = running_times(self._store.clock_ms, timestamps)
        grace_ms, ends_closed = self._grace_ms, self._emit == "final"
        for i, (key, value, time, gap, now) in enumerate(zip(keys, values, timestamps, gaps, running, strict=True)):
            limit, known, until = now - grace_ms, sessions[key], time + gap
            if ends_closed and known:
                self._end_closed(known, limit)
            joined = self._joined(known, time, until, limit) if known else known
            for session in joined:
                until = max(until, session.until)
            if until < limit:
                late.append(i)
            elif joined:
                self._extend(i, known, joined, value, time, until)
            else:
                self._begin(i, known, key, value, time, until)
        self._sessions.keep(self._touched)
        self._due.put_many(self._notes)
        return self._told, late

    def _begin(self, i: int, known: list[Session], key: bytes, value: Any, time: int, until: int) -> None:
        """A record that joins no session begins one."""
        state = self._started(value)
        if state is None:
            return
        session = Session(key, time, time, until, state, self._chunk_number)
        known.append(session)
        self._touched.append(session)
        # Reason: noted for when it may close, however results are emitted, so that emit= may be changed later.
        # Reason: what is past was looked at already, under a shorter grace.
        self._notes[time_bytes(max(until, self._due.clock_ms)) + key] = (b"", until)
        if self._every_change:
            self._told.append(Told(i, session.own_place, self._shown(state), time, None))

    def _extend(self, i: int, known: list[Session], joined: list[Session], value: Any, time: int, until: int) -> None:
        """The sessions that a record joins become one, which is the first of them as an object."""
        first = joined[0]
        start = first.start if first.start < time else time
        end = max([time, *[s.end for s in joined]]) if len(joined) > 1 else max(time, first.end)
        # Reason: a session of one instant that gets a record of that instant stays what it is; any other that gets
        # a record is replaced, even by one with the same bounds. Source: the vectors SUP-10 and SES-04.
        stays = len(joined) == 1 and first.start == first.end == start == end
        olds = [self._shown(s.state) for s in joined] if self._keeps_olds else [None] * len(joined)
        state = self._joined_state(joined, value)
        if self._every_change and not (stays and state is not None):
            self._told += [Told(i, s.own_place, None, s.end, old) for s, old in zip(joined, olds, strict=True)]
        for session in joined:
            if session.touched_in != self._chunk_number:
                session.touched_in = self._chunk_number
                self._touched.append(session)
        for session in joined if state is None else joined[1:]:
            session.is_gone = True
            known.remove(session)
        if state is not None:
            first.start, first.end, first.until, first.state = start, end, until, state
            if self._every_change:
                self._told.append(Told(i, first.own_place, self._shown(state), end, olds[0] if stays else None))

    def _end_closed(self, known: list[Session], limit: int) -> None:
        """Set the sessions apart that are closed by now, so that no record joins them."""
        for session in [s for s in known if s.until < limit]:
            session.is_gone = True
            known.remove(session)
            self._touched.append(session)
            self._ended.append(session)

    def _joined(self, known: list[Session], time: int, until: int, limit: int) -> list[Session]:
        """The sessions that a record joins, in the order of time."""
        gaps = self._gaps_more
        touched = [
            s
            for s in known
            if s.until >= time and s.start <= until and (s.until >= limit or s.forgotten_at(gaps) >= limit)
        ]
        if len(touched) > 1:
            touched.sort(key=lambda s: s.start)
        if self._max_length == _NEVER:
            return touched
        start = end = time
        fitting = []
        for session in sorted(touched, key=lambda s: (s.distance(time), s.start)):
            if max(end, session.end) - min(start, session.start) <= self._max_length:
                start, end = min(start, session.start), max(end, session.end)
                fitting.append(session)
        return sorted(fitting, key=lambda s: s.start)

    def _joined_state(self, joined: list[Session], value: Any) -> Any:
        """The states of joined sessions and one more value as one state."""
        if self._is_count:
            return sum([s.state for s in joined]) + 1
        assert self._merge is not None
        number, copy = self._chunk_number, self._copy
        states = [s.state if copy is None or s.touched_in == number else copy(s.state) for s in joined]
        state = states.pop(0) if self._initial is None else self._initial()
        for other in states:
            state = self._merge(state, other)
        return self._add(state, value)

    # Closing

    def _close(self, before_ms: int, now_ms: int) -> Chunk:
        del before_ms  # the notes know
        return self._closed_chunk(self._take_forgotten(now_ms - self._grace_ms))

    def _close_all(self, before_ms: int) -> Chunk:
        del before_ms
        closed = self._take_forgotten(_NEVER)
        if closed:
            newest = max(session.until for session in closed)
            self._store.clock_ms = min(MAX_TIME, newest + self._grace_ms + 1)
            self._due.clock_ms = max(self._due.clock_ms, min(MAX_TIME, newest + 1))
        return self._closed_chunk(closed)

    def _closed_chunk(self, closed: list[Session]) -> Chunk:
        ended, self._ended = sorted(self._ended + closed, key=lambda s: (s.until, s.key, s.start)), []
        return self._chunk([s.own_place for s in ended], [(s.state, s.until) for s in ended])

    def _take_forgotten(self, limit: int) -> list[Session]:
        """Remove the sessions that nobody joins any more, of all keys that are to be looked at by now."""
        due = [note[TIME_WIDTH:] for note in self._due.scan_keys(None, time_bytes(max(0, limit)))]
        if not due:
            return []
        if limit <= MAX_TIME:
            self._due.clock_ms = limit
        notes: dict[bytes, Stamped] = {}
        forgotten: list[Session] = []
        gaps = self._gaps_more
        for key, known in self._sessions.of_keys(dict.fromkeys(due)).items():
            for session in known[:]:
                look = session.until
                if look < limit and (look := session.forgotten_at(gaps)) < limit:
                    session.is_gone = True
                    known.remove(session)
                    forgotten.append(session)
                else:
                    notes[time_bytes(look) + key] = (b"", look)
        self._sessions.keep(forgotten)
        self._due.put_many(notes)
        return forgotten
