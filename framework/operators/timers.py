"""Timers of one class on one task: by time, so that those due are a range, and by key, so that a key can list its own.

What tells the timers of a key apart is the name, else the clock and the time: setting the same twice is one timer,
setting a name again moves it.

Those that fire within a chunk lie in a heap that is made for the chunk: in the order of time, then the key's bytes,
then name. Invariant: after each record no event-time timer waits whose time stream time has reached.
"""

from collections.abc import Iterator
from heapq import heappop, heappush

from framework.operators.process_state import Cell, Cursor, after_prefix, no_key
from framework.plan.processors import Timer
from framework.plan.timer_keys import (
    EVENT,
    MARK,
    WALL,
    of_key_prefix,
    of_key_tail,
    queue_key,
    queue_parts,
)
from state.keys import time_bytes

Due = tuple[int, bytes, bytes]  # time (ms), key, name


class Timers:
    """The timers in their store, `cell`; `events` and `walls` are the heaps of the running chunk."""

    __slots__ = ("_cell", "_cursor", "_limit_ms", "events", "walls")

    def __init__(self, cell: Cell, cursor: Cursor) -> None:
        self._cell, self._cursor = cell, cursor
        self.events: list[Due] = []
        self.walls: list[Due] = []
        self._limit_ms = -1

    # What the user does

    def set(self, timer: Timer) -> None:
        """Let a timer of the key in hand wait."""
        key, kind = self._key(), EVENT if timer.clock == "event" else WALL
        name = b"" if timer.name is None else timer.name.encode()
        now_ms = self._cursor.time_ms
        of_key = of_key_prefix(key) + of_key_tail(kind, timer.at, name)
        if name and (old := self._cell[of_key]) is not None and old[0] is not None:
            at_ms, is_wall = old[0]
            self._cell.change(queue_key(WALL if is_wall else EVENT, at_ms, key, name), (None, now_ms))
        self._cell.change(of_key, ([timer.at, kind == WALL], now_ms))
        self._cell.change(queue_key(kind, timer.at, key, name), (1, now_ms))
        if kind == WALL and timer.at <= self._mark_ms():  # the clock was set back
            self._cell.change(MARK, (timer.at - 1, now_ms))
        elif kind == EVENT and timer.at <= self._limit_ms:
            heappush(self.events, (timer.at, key, name))

    def delete(self, timer: Timer | str) -> None:
        """Forget a timer of the key in hand, if it waits; a text is its name."""
        key = self._key()
        name = timer if isinstance(timer, str) else timer.name
        kind, at_ms = (EVENT, 0) if isinstance(timer, str) else (EVENT if timer.clock == "event" else WALL, timer.at)
        encoded = b"" if name is None else name.encode()
        of_key = of_key_prefix(key) + of_key_tail(kind, at_ms, encoded)
        found = self._cell[of_key]
        if found is not None and found[0] is not None:
            at_ms, is_wall = found[0]
            self._forget(of_key, queue_key(WALL if is_wall else EVENT, at_ms, key, encoded))

    def waiting(self) -> list[Timer]:
        """The timers of the key in hand, by time."""
        prefix = of_key_prefix(self._key())
        self._cell.flush()
        found = []
        for place, ((at_ms, is_wall), _) in self._cell.store.scan(prefix, after_prefix(prefix)):
            tail = place[len(prefix) :]
            name = tail[1:].decode() if tail.startswith(b"n") else None
            found.append(Timer(at_ms, name, "wall" if is_wall else "event"))
        return sorted(found, key=lambda timer: (timer.at, timer.name or ""))

    # What the operator does

    def begin(self, from_ms: int, to_ms: int, *, joins_late: bool = True) -> None:
        """Heap up the event-time timers with from_ms <= time <= to_ms; those set meanwhile join them if allowed."""
        self.events = self._heap(EVENT, from_ms, to_ms)
        self._limit_ms = to_ms if joins_late else -1

    def begin_walls(self, now_ms: int) -> None:
        """Heap up the wall-clock timers that are due; those set meanwhile wait for the next time."""
        self.walls = self._heap(WALL, self._mark_ms() + 1, now_ms)
        if self.walls:
            self._cell.change(MARK, (now_ms, self._cursor.time_ms))

    def _mark_ms(self) -> int:
        """The time up to which none of the wall clock waits; a search from the beginning would pass all that fired."""
        mark = self._cell[MARK]
        return -1 if mark is None or mark[0] is None else int(mark[0])

    def _heap(self, kind: bytes, from_ms: int, to_ms: int) -> list[Due]:
        if to_ms < from_ms:
            return []
        low, high = kind + time_bytes(from_ms), kind + time_bytes(to_ms + 1)
        return sorted(queue_parts(place) for place, _ in self._cell.store.scan(low, high))

    def take_events(self, now_ms: int) -> Iterator[tuple[bytes, Timer]]:
        """Key and timer of each event-time timer due by now, in order; each is forgotten as it is taken."""
        return self._take(EVENT, self.events, now_ms)

    def take_walls(self, now_ms: int) -> Iterator[tuple[bytes, Timer]]:
        """The same for the wall clock."""
        return self._take(WALL, self.walls, now_ms)

    def _take(self, kind: bytes, heap: list[Due], now_ms: int) -> Iterator[tuple[bytes, Timer]]:
        while heap and heap[0][0] <= now_ms:
            at_ms, key, name = heappop(heap)
            place = queue_key(kind, at_ms, key, name)
            waiting = self._cell[place]
            if waiting is None or waiting[0] is None:
                continue  # deleted or moved since
            self._forget(of_key_prefix(key) + of_key_tail(kind, at_ms, name), place)
            yield key, Timer(at_ms, name.decode() if name else None, "event" if kind == EVENT else "wall")

    def first(self, kind: bytes) -> int | None:
        """The time of the first that waits (ms); asked between chunks."""
        # Trap: after a chunk that failed the cell still holds its changes, which no one may flush.
        entry = next(self._cell.store.scan(kind, after_prefix(kind)), None)
        return None if entry is None else queue_parts(entry[0])[0]

    def _forget(self, of_key: bytes, place: bytes) -> None:
        self._cell.change(of_key, (None, self._cursor.time_ms))
        self._cell.change(place, (None, self._cursor.time_ms))

    def _key(self) -> bytes:
        if self._cursor.key is None:
            raise no_key()
        return self._cursor.key
