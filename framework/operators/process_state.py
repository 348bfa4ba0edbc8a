"""The states of a class while it runs: views of stores for the key of the record in hand.

A `Cell` stands between a state and its store for one chunk: entries read, and changes that go to the store in one piece
at the end of the chunk, or before a scan. Nothing of it outlives the chunk, so a chunk that failed leaves nothing.

Expiry: an entry is gone when `time of writing + ttl <= stream time`, judged at each read. For its removal it stands in
an index ordered by time, at a place rounded up by a small part of the ttl, so that an entry which is written again and
again moves there seldom. Before each commit what is due in the index is looked at; live entries are never scanned.
"""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from framework.operators.mutability import is_immutable
from framework.plan.processors import State
from framework.plan.timer_keys import EXPIRY, expiry_key, expiry_parts
from framework.plan.topics import serde_for
from serde import Serde
from state import KeyValueStore
from state.keys import bucket_prefix, time_bytes

Entry = tuple[Any, int]
_EXPIRY_STEPS = 64
_IMMUTABLE_KEYS = (str, int, bytes)


class Cursor:
    """Where a class is: the encoded key in hand (None between keys), and stream time (ms, >= 0)."""

    __slots__ = ("key", "time_ms")

    def __init__(self) -> None:
        self.key: bytes | None = None
        self.time_ms = 0


class Cell(dict[Any, Entry | None]):
    """The entries of a store that this chunk has met, by encoded key; a missing one is looked up."""

    __slots__ = ("_is_prefetched", "_missed", "changed", "store")

    def __init__(self, store: KeyValueStore[Any]) -> None:
        super().__init__()
        self.store = store
        self.changed: dict[bytes, Entry] = {}
        self._is_prefetched, self._missed = False, 0

    def __missing__(self, key: bytes | None) -> Entry | None:
        if key is None:
            raise no_key()
        self._missed += 1
        entry: Entry | None = self.store.get(key)
        self[key] = entry
        return entry

    def start(self, keys: dict[bytes, None]) -> None:
        """Begin a chunk with these keys; what an earlier one left, it left because it failed."""
        self.clear()
        self.changed.clear()
        # Reason: reading all keys at once costs a third of reading them one by one, if they are read at all.
        if self._missed * 2 > len(keys):
            self._is_prefetched = True
        self._missed = 0
        if self._is_prefetched and keys:
            self.update(zip(keys, self.store.get_many(keys), strict=True))

    def change(self, key: bytes, entry: Entry) -> None:
        self[key] = self.changed[key] = entry

    def flush(self) -> None:
        """Hand the changes to the store, which keeps or undoes them with the chunk."""
        if self.changed:
            self.store.put_many(self.changed)
            self.changed.clear()


class Expiry:
    """The places of one state's entries in the index of what expires."""

    __slots__ = ("_attribute", "_index", "_step_ms", "_ttl_ms")

    def __init__(self, index: Cell, attribute: str, ttl_ms: int) -> None:
        self._index, self._attribute, self._ttl_ms = index, attribute.encode(), ttl_ms
        self._step_ms = max(1, ttl_ms // _EXPIRY_STEPS)

    def move(self, key: bytes, old: Entry | None, now_ms: int) -> None:
        """An entry is written now, over the old one."""
        due_ms = self.due_ms(now_ms)
        if old is not None and old[0] is not None:
            before_ms = self.due_ms(old[1])
            if before_ms == due_ms:
                return
            self._index.change(self.place(before_ms, key), (None, now_ms))
        self._index.change(self.place(due_ms, key), (1, now_ms))

    def place(self, due_ms: int, key: bytes) -> bytes:
        return expiry_key(due_ms, self._attribute, key)

    def is_over(self, written_ms: int, now_ms: int) -> bool:
        return written_ms + self._ttl_ms <= now_ms

    def due_ms(self, written_ms: int) -> int:
        expires_ms = written_ms + self._ttl_ms
        return expires_ms + -expires_ms % self._step_ms


class StateView:
    """What the three kinds share."""

    __slots__ = ("_cell", "_changed", "_copy", "_cursor", "_expiry", "_key_serde", "_state", "_ttl_ms")

    def __init__(
        self, state: State, store: KeyValueStore[Any], cursor: Cursor, key_serde: Serde[Any], expiry: Expiry | None
    ) -> None:
        self._state, self._cursor, self._key_serde, self._expiry = state, cursor, key_serde, expiry
        self._cell = Cell(store)
        self._changed = self._cell.changed
        self._ttl_ms = state.ttl_ms
        self._copy: Callable[[Any], Any] | None = None

    @property
    def cell(self) -> Cell:
        return self._cell

    @property
    def expiry(self) -> Expiry | None:
        return self._expiry

    def _put(self, key: bytes | None, value: Any) -> None:
        if key is None:
            raise no_key()
        cell, now_ms = self._cell, self._cursor.time_ms
        if self._expiry is not None:
            self._expiry.move(key, cell[key], now_ms)
        cell[key] = self._changed[key] = (value, now_ms)

    def _delete(self, key: bytes | None) -> None:
        old = self._cell[key]
        if key is not None and old is not None and old[0] is not None:
            # Reason: its place in the index stays; whoever looks there finds no entry.
            self._cell.change(key, (None, self._cursor.time_ms))

    def _live(self, entry: Entry | None) -> bool:
        if entry is None or entry[0] is None:
            return False
        return self._ttl_ms is None or entry[1] + self._ttl_ms > self._cursor.time_ms

    def _refuse_none(self, value: object, hint: str) -> None:
        if value is None:
            raise ValueError(f'the state "{self._state.attribute}" holds no None: {hint}')

    def _scan(self, start: bytes | None, end: bytes | None) -> Iterator[tuple[bytes, Any]]:
        """The live entries of a range, as they are now."""
        self._cell.flush()
        for key, entry in list(self._cell.store.scan(start, end)):
            if self._live(entry):
                yield key, entry[0]


class ValueView(StateView):
    """One value of the key in hand."""

    __slots__ = ("_default", "_is_default_immutable")

    def __init__(
        self, state: State, store: KeyValueStore[Any], cursor: Cursor, key_serde: Serde[Any], expiry: Expiry | None
    ) -> None:
        super().__init__(state, store, cursor, key_serde, expiry)
        self._copy = copier(state.element, store.spec.value_serde)
        self._default = state.default
        self._is_default_immutable = is_immutable(type(state.default))

    def get(self) -> Any:
        """The value, or the default."""
        entry = self._cell[self._cursor.key]
        if entry is None or entry[0] is None:
            return self._default if self._is_default_immutable else copy.deepcopy(self._default)
        if self._ttl_ms is not None and entry[1] + self._ttl_ms <= self._cursor.time_ms:
            return self._default if self._is_default_immutable else copy.deepcopy(self._default)
        return entry[0] if self._copy is None else self._copy(entry[0])

    def set(self, value: Any) -> None:
        """Keep another value."""
        if value is None:
            self._refuse_none(value, "use clear() to forget the value.")
        if self._copy is not None:
            value = self._copy(value)
        key = self._cursor.key
        if key is None or self._expiry is not None:
            self._put(key, value)
        else:
            self._cell[key] = self._changed[key] = (value, self._cursor.time_ms)

    def exists(self) -> bool:
        """True if there is a value."""
        return self._live(self._cell[self._cursor.key])

    def fill(self, value: Any) -> None:
        """Set it from a record of an initial topic."""
        self.set(value)

    def clear(self) -> None:
        """Forget the value."""
        self._delete(self._cursor.key)

    def all(self) -> Iterator[tuple[Any, Any]]:
        """Key and value of every key of this task, in the order of the keys' bytes."""
        for key, value in self._scan(None, None):
            yield self._key_serde.deserialize(key), value if self._copy is None else self._copy(value)


class ListView(StateView):
    """A list of the key in hand, one entry of the store."""

    __slots__ = ()

    def __init__(
        self, state: State, store: KeyValueStore[Any], cursor: Cursor, key_serde: Serde[Any], expiry: Expiry | None
    ) -> None:
        super().__init__(state, store, cursor, key_serde, expiry)
        if not is_immutable(state.element):
            # Reason: the list itself is never changed in place here, only its elements might be by the user.
            self._copy = copier(state.element, element_serde(state))

    def get(self) -> list[Any]:
        """The elements, oldest first; empty if there are none."""
        return self._copied(element for element in self._elements())

    def put(self, elements: Iterable[Any]) -> None:
        """Keep these elements instead."""
        kept = self._checked(elements, "put")
        now_ms = self._cursor.time_ms
        self._put(self._cursor.key, kept if self._ttl_ms is None else [(now_ms, element) for element in kept])

    def append(self, element: Any) -> None:
        """Add an element at the end."""
        self._refuse_none(element, "append() takes an element.")
        self._add([element if self._copy is None else self._copy(element)])

    def extend(self, elements: Iterable[Any]) -> None:
        """Add elements at the end."""
        self._add(self._checked(elements, "extend"))

    def exists(self) -> bool:
        """True if there is at least one element."""
        return bool(self._elements())

    def fill(self, value: list[Any]) -> None:
        """Set it from a record of an initial topic."""
        if value:
            self.put(value)
        else:
            self.clear()

    def clear(self) -> None:
        """Forget all elements."""
        self._delete(self._cursor.key)

    def all(self) -> Iterator[tuple[Any, list[Any]]]:
        """Key and elements of every key of this task, in the order of the keys' bytes."""
        for key, kept in self._scan(None, None):
            yield self._key_serde.deserialize(key), self._copied(self._unexpired(kept))

    def _add(self, elements: list[Any]) -> None:
        key, now_ms = self._cursor.key, self._cursor.time_ms
        entry = self._cell[key]
        old = [] if entry is None or entry[0] is None else entry[0]
        if self._ttl_ms is None:
            self._put(key, old + elements)
        else:
            limit_ms = now_ms - self._ttl_ms
            kept = [pair for pair in old if pair[0] > limit_ms]
            self._put(key, kept + [(now_ms, element) for element in elements])

    def _elements(self) -> list[Any]:
        entry = self._cell[self._cursor.key]
        return [] if entry is None or entry[0] is None else self._unexpired(entry[0])

    def _unexpired(self, kept: list[Any]) -> list[Any]:
        if self._ttl_ms is None:
            return kept
        limit_ms = self._cursor.time_ms - self._ttl_ms
        return [element for written_ms, element in kept if written_ms > limit_ms]

    def _copied(self, elements: Iterable[Any]) -> list[Any]:
        return list(elements) if self._copy is None else list(map(self._copy, elements))

    def _checked(self, elements: Iterable[Any], verb: str) -> list[Any]:
        if elements is None:
            raise ValueError(f'{verb}() of the state "{self._state.attribute}" takes elements, got None.')
        kept = self._copied(elements)
        if not kept:
            raise ValueError(
                f'{verb}() of the state "{self._state.attribute}" takes at least one element: '
                "use clear() to forget the list."
            )
        if any(element is None for element in kept):
            self._refuse_none(None, f"{verb}() takes elements.")
        return kept


class MapView(StateView):
    """Values by a second key, for the key in hand; each is an entry of the store."""

    __slots__ = ("_last", "_map_key_serde")

    def __init__(
        self, state: State, store: KeyValueStore[Any], cursor: Cursor, key_serde: Serde[Any], expiry: Expiry | None
    ) -> None:
        super().__init__(state, store, cursor, key_serde, expiry)
        self._copy = copier(state.element, store.spec.value_serde)
        self._last: tuple[object, bytes | None, bytes] = (object(), None, b"")  # key of the map, key in hand, place
        self._map_key_serde: Serde[Any] = store.spec.key_serde.second  # type: ignore[attr-defined]  # of pairs

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key of the map, else the default."""
        entry = self._cell[self._place(key)]
        if not self._live(entry) or entry is None:
            return default
        return entry[0] if self._copy is None else self._copy(entry[0])

    def put(self, key: Any, value: Any) -> None:
        """Keep a value under a key of the map."""
        self._refuse_none(value, "use remove(key) to forget a value.")
        self._put(self._place(key), value if self._copy is None else self._copy(value))

    def remove(self, key: Any) -> None:
        """Forget a key of the map."""
        self._delete(self._place(key))

    def items(self) -> list[tuple[Any, Any]]:
        """Keys and values of the map, in the order of the keys' bytes."""
        rows = list(self._rows())
        keys = self._map_key_serde.deserialize_many([key for key, _ in rows])
        values = [value for _, value in rows] if self._copy is None else [self._copy(value) for _, value in rows]
        return list(zip(keys, values, strict=True))

    def keys(self) -> list[Any]:
        """The keys of the map, in the order of their bytes."""
        return self._map_key_serde.deserialize_many([key for key, _ in self._rows()])

    def values(self) -> list[Any]:
        """The values of the map, in the order of the keys' bytes."""
        return [value for _, value in self.items()]

    def exists(self) -> bool:
        """True if the map has at least one key."""
        return next(self._rows(), None) is not None

    def fill(self, value: dict[Any, Any]) -> None:
        """Set it from a record of an initial topic."""
        self.clear()
        for key, item in value.items():
            self.put(key, item)

    def clear(self) -> None:
        """Forget all keys of the map."""
        prefix = self._prefix()
        for key, _ in list(self._rows()):
            self._delete(prefix + key)

    def all(self) -> Iterator[tuple[Any, tuple[Any, Any]]]:
        """Key, and key and value of its map, of every key of this task."""
        for place, value in self._scan(None, None):
            key, map_key = self._cell.store.spec.key_serde.deserialize(place)
            yield key, (map_key, value if self._copy is None else self._copy(value))

    def __contains__(self, key: Any) -> bool:
        return self._live(self._cell[self._place(key)])

    def __len__(self) -> int:
        return sum(1 for _ in self._rows())

    def _rows(self) -> Iterator[tuple[bytes, Any]]:
        prefix = self._prefix()
        for place, value in self._scan(prefix, after_prefix(prefix)):
            yield place[len(prefix) :], value

    def _prefix(self) -> bytes:
        key = self._cursor.key
        if key is None:
            raise no_key()
        return bucket_prefix(key)

    def _place(self, key: Any) -> bytes:
        last_key, last_in_hand, place = self._last
        if key is last_key and self._cursor.key is last_in_hand:
            return place  # the usual put after a get
        if key is None:
            self._refuse_none(key, "a key of the map is missing.")
        place = self._prefix() + self._map_key_serde.serialize(key)
        if type(key) in _IMMUTABLE_KEYS:
            self._last = key, self._cursor.key, place
        return place


VIEWS: dict[str, type[ValueView] | type[ListView] | type[MapView]] = {
    "value": ValueView,
    "list": ListView,
    "map": MapView,
}


def remove_expired(index: KeyValueStore[Any], views: Mapping[str, StateView], from_ms: int, to_ms: int) -> None:
    """Delete the entries that have expired, for the places of the index with from_ms <= time <= to_ms."""
    due = [key for key, _ in index.scan(EXPIRY + time_bytes(from_ms), EXPIRY + time_bytes(to_ms + 1))]
    if not due:
        return
    seen: dict[bytes, Entry] = dict.fromkeys(due, (None, to_ms))
    by_state: dict[str, list[bytes]] = {}
    for place in due:
        attribute, key = expiry_parts(place)
        by_state.setdefault(attribute, []).append(key)
    for attribute, keys in by_state.items():
        # Reason: the class may have lost the state, or its time to live, since the entry was written.
        if attribute in views and views[attribute].expiry is not None:
            seen.update(_remove_or_move(views[attribute], keys, to_ms))
    index.put_many(seen)


def _remove_or_move(view: StateView, keys: list[bytes], now_ms: int) -> dict[bytes, Entry]:
    """Delete those that have expired; the new places of those that live longer by now."""
    store, expiry = view.cell.store, view.expiry
    assert expiry is not None
    expired: dict[bytes, Entry] = {}
    moved: dict[bytes, Entry] = {}
    for key, entry in zip(keys, store.get_many(keys), strict=True):
        if entry is None or entry[0] is None:
            continue
        if expiry.is_over(entry[1], now_ms):
            expired[key] = (None, now_ms)
        else:
            moved[expiry.place(expiry.due_ms(entry[1]), key)] = (1, now_ms)
    store.put_many(expired)
    return moved


def copier(known: object, serde: Serde[Any]) -> Callable[[Any], Any] | None:
    """Makes a copy of a value that the user could change in place; None where nobody can."""
    # Reason: what is committed, or may be undone, must not change when the user changes what was given or taken.
    return None if is_immutable(known) else lambda value: serde.deserialize(serde.serialize(value))


def element_serde(state: State) -> Serde[Any]:
    """The serde of an element of a list."""
    return serde_for(state.element)


def after_prefix(prefix: bytes) -> bytes:
    """The first bytes that sort after everything with this prefix, which is not all 255."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1])


def no_key() -> RuntimeError:
    return RuntimeError(
        "there is no current key here: states and timers belong to a key, so use them in process() and on_timer(), "
        "or read all keys of the task with all()."
    )
