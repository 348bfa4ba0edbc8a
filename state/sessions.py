"""A store of sessions: those of a key are looked up together and remembered as objects, which their operator changes.

An operator takes the lists of the keys of its chunk (`of_keys`), changes lists and sessions in place, and says at the
end which sessions it touched (`keep`): a session that grew by ten records of a chunk is written once. The lists that
were lent out are forgotten if the chunk is rejected, as they may be half changed.

What is remembered is bounded like the entries of the other stores, in two generations. As long as nothing of it was
given up since the commit, every key with uncommitted changes is among it, so a key that is not needs a look at the disk
alone. After that the places of the open transaction are listed by key, once they are needed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

from state.base import BytesBackend
from state.keys import MAX_TIME, TIME_WIDTH
from state.keyvalue import KeyValueStore
from state.spec import StoreSpec
from state.windowed_keys import session_bounds, session_key, session_of, sessions_prefix

Entry = tuple[Any, int]
_LAST_SUFFIX = b"\xff" * 2 * TIME_WIDTH


@dataclass(slots=True, eq=False)
class Session:
    """One session of a key; times in ms.

    `until` is when it is open until; `touched_in`: the number of the chunk that made its state; `place`: where the
    store has it, None: nowhere yet, `placed_end`: its end there; `is_gone`: it is to leave the store.
    """

    key: bytes
    start: int
    end: int
    until: int
    state: Any
    touched_in: int = -1
    place: bytes | None = None
    placed_end: int = -1
    is_gone: bool = False

    @property
    def own_place(self) -> bytes:
        """Where the store is to have it."""
        return session_key(self.key, self.start, self.end)

    def forgotten_at(self, gaps: int | None) -> int:
        """Until when records join it (ms), which is so many gaps longer than it is open; None: for ever."""
        return MAX_TIME + 1 if gaps is None else self.until + gaps * (self.until - self.end)

    def distance(self, time_ms: int) -> int:
        """The silence between it and a record (ms); 0 inside."""
        return max(0, self.start - time_ms, time_ms - self.end)


Sessions = list[Session]


class SessionStore(KeyValueStore[Entry]):
    """See the module. Entries are tuples (state, until when the session is open in ms) at `session_key`."""

    def __init__(self, spec: StoreSpec, backend: BytesBackend, cache_entries: int = 100_000) -> None:
        super().__init__(spec, backend, cache_entries)
        self._limit = max(1, cache_entries // 2)
        self._known: dict[bytes, Sessions] = {}
        self._known_before: dict[bytes, Sessions] = {}
        self._weight = 0  # keys and sessions of the young generation
        self._lent: list[Collection[bytes]] = []  # keys that the chunk in hand may have changed
        self._knows_changed = True  # all keys that the open transaction changed are remembered
        self._places: dict[bytes, list[bytes]] | None = None  # of the open transaction by key, once needed

    def of_keys(self, keys: Iterable[bytes]) -> dict[bytes, Sessions]:
        """The sessions of each key. Lists and sessions may be changed until the next call; `keep` puts that down."""
        known, recall = self._known.get, self._recall
        lent = {key: sessions if (sessions := known(key)) is not None else recall(key) for key in keys}
        self._lent.append(lent)
        return lent

    def keep(self, touched: Iterable[Session]) -> None:
        """Put down what became of these sessions."""
        dead: dict[bytes, Entry] = {}
        alive: dict[bytes, Entry] = {}
        new: list[bytes] = []
        for session in touched:
            before = session.place
            place = None if session.is_gone else session_key(session.key, session.start, session.end)
            if before != place:
                if before is not None:
                    dead[before] = (None, session.placed_end)
                if place is not None:
                    new.append(place)
                session.place, session.placed_end = place, session.end
            if place is not None:
                alive[place] = (session.state, session.until)
        self._weight += len(new)
        self._unstored.update([place for place in new if place not in dead and not self._is_changed(place)])
        # Order: a place that one session left may be another's now.
        self._put({**dead, **alive})

    def put_many(self, changes: Mapping[bytes, Entry]) -> None:
        self._knows_changed = False
        self._forget_keys(changes)
        self._put(changes)

    def were_shown(self, places: Iterable[bytes]) -> list[bool]:
        """For each place that was left whether a session was there at the last `settle`."""
        flushed, unstored = self._flushed, self._unstored
        return [flushed[place][0] is not None if place in flushed else place not in unstored for place in places]

    # The life of a change

    def accept(self) -> None:
        super().accept()
        self._lent = []

    def reject(self) -> None:
        for key in chain.from_iterable(self._lent):
            self._known.pop(key, None)
            self._known_before.pop(key, None)
        self._forget_keys(self._fresh)
        self._lent, self._knows_changed = [], False
        super().reject()

    def committed(self) -> None:
        super().committed()
        self._knows_changed, self._places = True, None

    def abort(self) -> None:
        super().abort()
        self._known, self._known_before, self._weight, self._lent = {}, {}, 0, []
        self._knows_changed, self._places = True, None

    def forget(self, keys: Collection[bytes]) -> None:
        super().forget(keys)
        self._forget_keys(keys)

    # How it is done

    def _put(self, changes: Mapping[bytes, Entry]) -> None:
        self._fresh.update(changes)
        if self._young or self._old:
            for place in changes:
                self._young.pop(place, None)
                self._old.pop(place, None)
        if self._places is not None:
            for place in changes:
                self._places.setdefault(session_of(place), []).append(place)

    def _forget_keys(self, places: Iterable[bytes]) -> None:
        for key in map(session_of, places):
            self._known.pop(key, None)
            self._known_before.pop(key, None)

    def _recall(self, key: bytes) -> Sessions:
        """The sessions of a key that are not in the young generation, which they join."""
        sessions = self._known_before.pop(key, None)
        if sessions is None:
            sessions = self._load(key)
        self._weight += 1 + len(sessions)
        if self._weight > self._limit:
            self._knows_changed = self._knows_changed and not self._known_before
            self._known_before, self._known, self._weight = self._known, {}, 1 + len(sessions)
        self._known[key] = sessions
        return sessions

    def _load(self, key: bytes) -> Sessions:
        prefix = sessions_prefix(key)
        found = self._backend.scan(self.name, prefix, prefix + _LAST_SUFFIX)
        rows = {place: self._decode(stored) for place, stored in found}
        if not self._knows_changed:
            rows.update((place, self._uncommitted_entry(place)) for place in self._places_of(key))
        sessions = []
        for place, (state, until) in sorted(rows.items(), key=itemgetter(0)):
            if state is not None:
                start, end = session_bounds(place)
                sessions.append(Session(key, start, end, until, state, place=place, placed_end=end))
        return sessions

    def _places_of(self, key: bytes) -> list[bytes]:
        """Where the open transaction changed sessions of a key."""
        if self._places is None:
            self._places = {}
            for place in (*self._flushed, *self._dirty, *self._fresh):
                self._places.setdefault(session_of(place), []).append(place)
        # Trap: what was listed may have been undone since.
        return [place for place in self._places.get(key, ()) if self._is_changed(place)]
