"""A key-value store of one task: decoded values over committed bytes, with the open transaction in layers between.

| layer | holds | ends with |
|---|---|---|
| fresh | changes of the chunk being processed | `accept` (kept) or `reject` (undone: user code raised) |
| dirty | changes since the last flush | `settle`: they were sent downstream |
| flushed | sent downstream, not yet committed | the commit |

Beside the entries a store may keep a clock, the stream time that its operator has seen, with the same life.

Below them the backend holds what was committed, and nothing else. Every value has a timestamp: entries are tuples
(value, timestamp in ms). A deleted key keeps an entry (None, timestamp of its deletion) until the commit. Keys are
bytes, already serialised.

A store that is used as a queue, put at its end and taken from its head, has many deleted keys before its first one;
the backend would step over them at each scan. So an ordered store knows a key before which the backend has nothing.

Beside the layers stands a bounded memory of entries as they are now, in two generations:
when the young one is full it becomes the old one, which is forgotten unless it is used again.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Generic, TypeVar

from sortedcontainers import SortedSet

from state.base import BytesBackend
from state.keys import time_bytes
from state.spec import StoreSpec
from state.stamps import unstamp

V = TypeVar("V")
_ENTRY_OVERHEAD_BYTES = 150  # a dict's slot, a key, a tuple and two numbers, roughly
_ABSENT: Any = (None, -1)


class KeyValueStore(Generic[V]):
    """See the module. `V` is a tuple (value or None, timestamp in ms)."""

    def __init__(self, spec: StoreSpec, backend: BytesBackend, cache_entries: int = 100_000) -> None:
        self.spec, self.name = spec, spec.name
        self._backend, self._generation = backend, max(1, cache_entries // 2)
        self._fresh: dict[bytes, V] = {}
        self._dirty: dict[bytes, V] = {}
        self._flushed: dict[bytes, V] = {}
        self._young: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}
        self._order: SortedSet[bytes] | None = SortedSet() if spec.is_ordered else None  # keys of the three layers
        self._floor = b""  # the backend has no key before this one
        self._unstored: set[bytes] = set()  # changed keys that the backend is known not to have
        self.clock_ms = self._accepted_clock_ms = self._settled_clock_ms = self._committed_clock_ms = -1

    def get(self, key: bytes) -> V | None:
        """The entry of a key, as the open transaction sees it."""
        return self.get_many((key,))[0]

    def get_many(self, keys: Collection[bytes]) -> list[V | None]:
        """The entry of each key, in their order; None where there is none."""
        entries: list[V | None] = list(map(self._young.get, keys))
        if None in entries:
            self._look_up(list(keys), entries)
        return entries

    def put_many(self, changes: Mapping[bytes, V]) -> None:
        """Change these keys; an entry whose value is None deletes."""
        self._fresh.update(changes)
        self._young.update(changes)
        if self._order is not None:
            known = self._order
            known.update([key for key in changes if key not in known])
        self._age()

    def remember_absent(self, keys: Collection[bytes]) -> None:
        """The caller knows that these keys have no entry: looking for them costs nothing while that is remembered."""
        self._young.update(dict.fromkeys(keys, _ABSENT))
        self._age()

    def put(self, key: bytes, entry: V) -> None:
        """Change one key."""
        self.put_many({key: entry})

    def scan(self, start: bytes | None = None, end: bytes | None = None) -> Iterator[tuple[bytes, V]]:
        """The entries of [start, end) in the order of the keys' bytes, as the open transaction sees them.

        The store must not be changed before the last entry was taken.
        """
        for key, stored in self._merged(start, end):
            if stored is not None:
                yield key, self._decode(stored)
            elif _is_there(entry := self._uncommitted_entry(key)):
                yield key, entry

    def scan_keys(self, start: bytes | None = None, end: bytes | None = None) -> Iterator[bytes]:
        """The keys of those entries, which are not decoded."""
        for key, stored in self._merged(start, end):
            if stored is not None or _is_there(self._uncommitted_entry(key)):
                yield key

    def settled(self, keys: Collection[bytes]) -> list[V | None]:
        """The entry of each key as it was last sent downstream, whatever has changed since the last `settle`."""
        found = list(map(self._flushed.get, keys))
        if missing := [key for key, entry in zip(keys, found, strict=True) if entry is None]:
            stored = dict(zip(missing, self._backend.get_many(self.name, missing), strict=True))
            found = [
                entry if entry is not None or (data := stored[key]) is None else self._decode(data)
                for key, entry in zip(keys, found, strict=True)
            ]
        return found

    # The life of a change

    def accept(self) -> None:
        """Keep the changes of the chunk."""
        self._accepted_clock_ms = self.clock_ms
        if self._fresh:
            self._dirty.update(self._fresh)
            self._fresh = {}

    def reject(self) -> None:
        """Undo the changes of the chunk."""
        for key in self._fresh:
            self._young.pop(key, None)
            self._old.pop(key, None)
        if self._order is not None:
            self._order -= {key for key in self._fresh if key not in self._dirty and key not in self._flushed}
        self._fresh = {}
        self.clock_ms = self._accepted_clock_ms

    def reject_unsettled(self) -> None:
        """Undo the changes since the last `settle`."""
        self._fresh = self.changed()
        self._dirty = {}
        self._accepted_clock_ms = self._settled_clock_ms
        self.reject()

    def changed(self) -> dict[bytes, V]:
        """The entries changed since the last `settle`, in the order of their first change."""
        return {**self._dirty, **self._fresh} if self._fresh else self._dirty

    def settle(self) -> None:
        """The changes so far were sent downstream."""
        self.accept()
        self._settled_clock_ms = self.clock_ms
        if self._dirty:
            self._flushed = {**self._flushed, **self._dirty} if self._flushed else self._dirty
            self._dirty = {}

    def uncommitted(self) -> dict[bytes, V]:
        """The entries changed since the last commit, without those that are known to have come and gone."""
        changed = {**self._flushed, **self._dirty, **self._fresh}
        gone = self._unstored
        if self._order is not None:
            # Cost: what is kept in order is mostly a queue, much of which comes and goes within a busy transaction; to
            # ask the disk costs less than to send a needless deletion to the log and to delete it on disk.
            deleted = [key for key, entry in changed.items() if not _is_there(entry)]
            stored = self._backend.get_many(self.name, deleted) if deleted else ()
            gone = gone.union([key for key, data in zip(deleted, stored, strict=True) if data is None])
        if gone:
            return {key: entry for key, entry in changed.items() if key not in gone or _is_there(entry)}
        return changed

    def committed(self) -> None:
        """The backend has the changes now."""
        if self._order:
            self._floor = min(self._floor, self._order[0])
        self._fresh, self._dirty, self._flushed = {}, {}, {}
        self._unstored = set()
        if self._order:
            self._order = SortedSet()
        self.start_clock(self.clock_ms)
        # Invariant: what is remembered equals what the backend answers; a deletion's entry is not in the backend.

    def abort(self) -> None:
        """Forget the changes since the last commit."""
        self._floor = b""
        self._fresh, self._dirty, self._flushed, self._young, self._old = {}, {}, {}, {}, {}
        self._unstored = set()
        if self._order:
            self._order = SortedSet()
        self.start_clock(self._committed_clock_ms)

    def forget(self, keys: Collection[bytes]) -> None:
        """The backend has changed under these keys, which no transaction has."""
        self._floor = b""
        for key in keys:
            self._young.pop(key, None)
            self._old.pop(key, None)

    def start_clock(self, clock_ms: int) -> None:
        """The committed stream time (ms); -1 before the first record."""
        self.clock_ms = self._accepted_clock_ms = self._settled_clock_ms = self._committed_clock_ms = clock_ms

    @property
    def settled_clock_ms(self) -> int:
        """The stream time at the last `settle` (ms)."""
        return self._settled_clock_ms

    @property
    def has_clock_moved(self) -> bool:
        """True if the open transaction moved it."""
        return self.clock_ms != self._committed_clock_ms

    @property
    def uncommitted_count(self) -> int:
        return len(self._fresh) + len(self._dirty) + len(self._flushed)

    # How it is done

    def _merged(self, start: bytes | None, end: bytes | None) -> Iterator[tuple[bytes, bytes | None]]:
        """The keys of [start, end) in order, with the backend's bytes; None where the open transaction has one."""
        if self.spec.is_queue:
            start = max(start or b"", time_bytes(max(0, self.clock_ms)))
        above = iter(self._uncommitted_in(start, end))
        waiting = next(above, None)
        for key, stored in self._stored_in(start, end):
            while waiting is not None and waiting < key:
                yield waiting, None
                waiting = next(above, None)
            if waiting == key:
                yield key, None
                waiting = next(above, None)
            else:
                yield key, stored
        while waiting is not None:
            yield waiting, None
            waiting = next(above, None)

    def _stored_in(self, start: bytes | None, end: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        """The entries of [start, end) that the backend has; notes where the first one is."""
        first = start or b""
        if self._order is None or first > self._floor:
            yield from self._backend.scan(self.name, start, end)
            return
        rows = self._backend.scan(self.name, self._floor, end)
        row = next(rows, None)
        if row is not None:
            self._floor = row[0]
            yield row
            yield from rows
        elif end is not None:
            self._floor = max(self._floor, end)

    def _uncommitted_in(self, start: bytes | None, end: bytes | None) -> list[bytes]:
        """The changed keys of [start, end), sorted."""
        if self._order is not None:
            return list(self._order.irange(start, end, inclusive=(True, False)))
        changed = {**self._flushed, **self._dirty, **self._fresh}
        return sorted(k for k in changed if (start is None or k >= start) and (end is None or k < end))

    def _is_changed(self, key: bytes) -> bool:
        """True if the open transaction has an entry of this key, also one that deletes it."""
        return key in self._fresh or key in self._dirty or key in self._flushed

    def _uncommitted_entry(self, key: bytes) -> V:
        for layer in (self._fresh, self._dirty):
            if key in layer:
                return layer[key]
        return self._flushed[key]

    def _look_up(self, keys: list[bytes], entries: list[V | None]) -> None:
        """Fill in the entries that the young generation does not have."""
        missing: list[int] = []
        found: dict[bytes, V] = {}
        for i, entry in enumerate(entries):
            if entry is not None:
                continue
            key = keys[i]
            known = self._old.get(key)
            if known is None:
                known = self._fresh.get(key)
            if known is None:
                known = self._dirty.get(key)
            if known is None:
                known = self._flushed.get(key)
            if known is None:
                missing.append(i)
            else:
                entries[i] = found[key] = known
        if missing:
            stored = self._backend.get_many(self.name, [keys[i] for i in missing])
            for i, data in zip(missing, stored, strict=True):
                if data is not None:
                    entries[i] = found[keys[i]] = self._decode(data)
        self._young.update(found)
        self._age()

    def _age(self) -> None:
        if len(self._young) > self._generation:
            self._old, self._young = self._young, {}

    def _decode(self, stored: bytes) -> V:
        value, timestamp = unstamp(stored)
        entry: Any = (self.spec.value_serde.deserialize(value), timestamp)
        return entry  # type: ignore[no-any-return]  # V is such a tuple


def _is_there(entry: Any) -> bool:
    return entry[0] is not None
