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
costs one note per gap, not per record. Both are logged, so a restore needs no scan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from framework.chunk import Chunk
from framework.operators.aggregate import Stamped
from framework.operators.base import OperatorContext
from framework.operators.windowed import Told, WindowedOperator, running_times
from framework.plan.windows import SessionWindows, WindowedNode, due_name
from state import BucketStore, KeyValueStore
from state.keys import MAX_TIME, TIME_WIDTH, time_bytes, time_of
from state.windowed_keys import (
    session_bounds,
    session_end,
    session_key,
    session_suffix,
    session_windowed,
    sessions_prefix,
)

_NEVER = MAX_TIME + 1


@dataclass(slots=True, eq=False)
class Session:
    """One session of a key.

    `is_own`: its state was made in this chunk and may change in place; `is_stored`: the store has its place.
    """

    start: int
    end: int
    until: int
    state: Any
    is_own: bool = False
    is_stored: bool = True

    def distance(self, time_ms: int) -> int:
        """The silence between it and a record (ms); 0 inside."""
        return max(0, self.start - time_ms, time_ms - self.end)


class SessionOperator(WindowedOperator):
    """See the module."""

    def __init__(self, node: WindowedNode, windows: SessionWindows, context: OperatorContext) -> None:
        super().__init__(node, context)
        self._gap, self._grace_ms = windows.gap_ms, windows.grace_ms
        self._max_length = _NEVER if windows.max_length_ms is None else windows.max_length_ms
        assert isinstance(self._store, BucketStore)
        self._sessions = self._store
        self._due: KeyValueStore[Stamped] = context.stores[due_name(node.name)]
        self._ended: list[Closed] = []  # of the chunk in hand

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
        unseen = {key for key, entry in zip(gone, self._store.settled(gone), strict=True) if not _is_there(entry)}
        kept = [i for i, key in enumerate(stored) if key not in unseen]
        olds = None if olds is None else [olds[i] for i in kept]
        return super()._chunk([stored[i] for i in kept], [entries[i] for i in kept], olds)

    def _times(self, stored: Sequence[bytes]) -> list[int]:
        return list(map(session_end, stored))

    def _windowed_keys(self, stored: Sequence[bytes]) -> list[bytes]:
        return list(map(session_windowed, stored))

    def _apply(self, keys: list[bytes], chunk: Chunk) -> tuple[list[Told], list[int]]:
        self._ended = []
        timestamps, gap_of = chunk.timestamps, self._gap
        values: list[Any] = timestamps if self._is_count and not callable(gap_of) else chunk.values.decoded
        gaps = list(map(gap_of, values)) if callable(gap_of) else [gap_of] * len(keys)
        prefixes = {key: sessions_prefix(key) for key in dict.fromkeys(keys)}
        sessions = {key: self._sessions_in(prefix) for key, prefix in prefixes.items()}
        changed: dict[bytes, Stamped] = {}
        notes: dict[bytes, Stamped] = {}
        told: list[Told] = []
        late: list[int] = []
        running = running_times(self._store.clock_ms, timestamps)
        for i, (key, value, time, gap, now) in enumerate(zip(keys, values, timestamps, gaps, running, strict=True)):
            limit, prefix = now - self._grace_ms, prefixes[key]
            known = sessions[key] = self._still_known(key, sessions[key], limit, changed)
            joined = self._joined(known, time, time + gap, limit)
            start, end, until = time, time, time + gap
            for session in joined:
                start, end, until = min(start, session.start), max(end, session.end), max(until, session.until)
            if until < limit:
                late.append(i)
                continue
            # Reason: a session of one instant that gets a record of that instant stays what it is; any other that gets
            # a record is replaced, even by one with the same bounds. Source: the vectors SUP-10 and SES-04.
            stays = len(joined) == 1 and joined[0].start == joined[0].end == start == end
            olds = [self._shown(s.state) for s in joined] if self._keeps_olds else [None] * len(joined)
            state = self._joined_state(joined, value)
            for session, old in zip(joined, olds, strict=True):
                place = prefix + session_suffix(session.start, session.end)
                if session.is_stored:
                    changed[place] = (None, session.end)
                else:
                    del changed[place]
                if self._every_change and not (stays and state is not None):
                    told.append(Told(i, place, None, session.end, old))
            sessions[key] = [s for s in known if s not in joined] if joined else list(known)
            if state is None:
                continue
            place = prefix + session_suffix(start, end)
            is_stored = place in changed
            changed[place] = (state, until)
            sessions[key].append(Session(start, end, until, state, is_own=True, is_stored=is_stored))
            if not joined:
                # Reason: noted for when it may close, however results are emitted, so that emit= may be changed later.
                notes[time_bytes(until) + key] = (b"", until)
            if self._every_change:
                told.append(Told(i, place, self._shown(state), end, olds[0] if stays else None))
        self._store.put_many(changed)
        self._due.put_many(notes)
        return told, late

    def _sessions_in(self, prefix: bytes) -> list[Session]:
        """The sessions of a key, by its prefix, in the order of time."""
        rows = self._sessions.bucket(prefix)
        return [Session(*session_bounds(suffix), until, state) for suffix, (state, until) in rows]

    def _still_known(
        self, key: bytes, known: list[Session], limit: int, changed: dict[bytes, Stamped]
    ) -> list[Session]:
        """The sessions that a record may join; with final results those that are closed by now are set apart."""
        if self._emit != "final" or not any(s.until < limit for s in known):
            return known
        for session in known:
            if session.until < limit:
                self._ended.append((session.until, key, session))
                changed[session_key(key, session.start, session.end)] = (None, session.end)
        return [s for s in known if s.until >= limit]

    def _forgotten(self, until: int, end: int) -> int:
        """When no record joins a session any more: this + grace < stream time."""
        if self._emit == "complete":
            return _NEVER
        return until if self._emit == "final" else until + 2 * (until - end)

    def _joined(self, known: list[Session], time: int, until: int, limit: int) -> list[Session]:
        """The sessions that a record joins, in the order of time."""
        touched = [
            s for s in known if s.until >= time and s.start <= until and self._forgotten(s.until, s.end) >= limit
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
        if not joined:
            return self._started(value)
        assert self._merge is not None
        states = [s.state if s.is_own or self._copy is None else self._copy(s.state) for s in joined]
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
            newest = max(until for until, _, _ in closed)
            self._store.clock_ms = min(MAX_TIME, newest + self._grace_ms + 1)
        return self._closed_chunk(closed)

    def _closed_chunk(self, closed: "list[Closed]") -> Chunk:
        ended, self._ended = sorted(self._ended + closed, key=lambda c: (c[0], c[1], c[2].start)), []
        places = [session_key(key, session.start, session.end) for _, key, session in ended]
        return self._chunk(places, [(session.state, until) for until, _, session in ended])

    def _take_forgotten(self, limit: int) -> "list[Closed]":
        """Remove the sessions that nobody joins any more, of all keys that are to be looked at by now."""
        due = [note for note, _ in self._due.scan(None, time_bytes(max(0, limit)))]
        if not due:
            return []
        notes: dict[bytes, Stamped] = {note: (None, time_of(note)) for note in due}
        forgotten: list[Closed] = []
        for key in dict.fromkeys(note[TIME_WIDTH:] for note in due):
            for session in self._sessions_in(sessions_prefix(key)):
                forgotten_at = self._forgotten(session.until, session.end)
                if forgotten_at < limit:
                    forgotten.append((session.until, key, session))
                else:
                    look = session.until if session.until >= limit else forgotten_at
                    notes[time_bytes(look) + key] = (b"", look)
        self._due.put_many(notes)
        self._store.put_many({session_key(key, s.start, s.end): (None, s.end) for _, key, s in forgotten})
        return forgotten


Closed = tuple[int, bytes, Session]  # until when it was open, its key


def _is_there(entry: Stamped | None) -> bool:
    return entry is not None and entry[0] is not None
