"""Tables that remember: the newest version of each key, and those it replaced, as far back as the history reaches.

Two stores of the task. `latest` is a plain one, key → (value, time it holds from), so a versioned table is read,
queried and joined like any other. The other holds the replaced versions in buckets (`keys.py`), keyed by the time they
held *until*; so what is out of reach is one range at its start, and the version that held at a time is the first one of
its key whose end lies after that time. The end of a version is the beginning of the next, and deletions are versions
too; only after a deletion that is the newest there may be a gap, which counts as one.

The clock of the history store is the greatest time that was put, whatever the key. What is older than the clock by more
than the history is refused, or not found; only the newest version of a key is found however old it is.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from serde import Serde
from serde.base import GuardedSerde
from state.keys import bucket_key, bucket_parts, bucket_ranges, segment_of
from state.keyvalue import KeyValueStore
from state.spec import StoreSpec

_SHORTEST_SEGMENT_MS = 60_000


class Version(NamedTuple):
    """A value and the times it holds from (ms) and until, exclusive; None until there is another."""

    value: Any
    from_ms: int
    until_ms: int | None


class Put(NamedTuple):
    """What a put did: `until_ms` as in `Version`; `replaced` the version with this very time, if there was one."""

    until_ms: int | None
    replaced: Version | None

    @property
    def is_latest(self) -> bool:
        """True if it changed what the key is now."""
        return self.until_ms is None


def versioned_specs(
    name: str, key_serde: Serde[Any], value_serde: Serde[Any], history_ms: int, segment_ms: int | None = None
) -> tuple[StoreSpec, StoreSpec]:
    """The stores of a versioned table: the newest versions under its name, the replaced ones beside it."""
    return StoreSpec(name, key_serde, value_serde), StoreSpec(
        history_name(name),
        VersionKeySerde(key_serde),
        VersionSerde(value_serde),
        has_clock=True,
        is_ordered=True,
        retention_ms=history_ms,
        segment_ms=segment_ms or max(history_ms // 2, _SHORTEST_SEGMENT_MS),
    )


def history_name(name: str) -> str:
    """The store of the replaced versions of a table."""
    return f"{name}-history"


class VersionedStore:
    """See the module. Keys are bytes; times are ms since the epoch, >= 0."""

    def __init__(self, latest: KeyValueStore[Any], history: KeyValueStore[Any]) -> None:
        self.latest, self.history = latest, history
        self._history_ms, self._segment_ms = history.spec.retention_ms or 0, history.spec.segment_ms

    @property
    def clock_ms(self) -> int:
        """The greatest time that was put; -1 before the first."""
        return self.history.clock_ms

    def put(self, key: bytes, value: Any, time_ms: int) -> Put | Literal["expired"]:
        """From this time on the key has this value, None for none, until its next version."""
        if self.is_out_of_reach(time_ms, self.clock_ms):
            return "expired"
        self.history.clock_ms = max(self.clock_ms, time_ms)
        newest = self.get(key)
        if newest is not None and newest.from_ms <= time_ms:
            if newest.from_ms < time_ms:
                self._keep(key, newest.value, newest.from_ms, time_ms)
            self._set_newest(key, value, time_ms)
            return Put(None, newest if newest.from_ms == time_ms else None)
        after = self._first_ending_after(key, time_ms)
        if after is None and newest is None:
            # Reason: a deletion leaves nothing in the newest; the end of the version before it says that it was.
            deletion = self._deletion_at(key, time_ms)
            self._set_newest(key, value, time_ms)
            return Put(None, deletion)
        return self._insert(key, value, time_ms, after, newest)

    def _set_newest(self, key: bytes, value: Any, time_ms: int) -> None:
        self.latest.put(key, (value, time_ms))
        if value is None and self.history.get(self._place(key, time_ms)) is None:
            self._keep(key, None, time_ms, time_ms)

    def _insert(self, key: bytes, value: Any, time_ms: int, after: Version | None, newest: Version | None) -> Put:
        """Put a version before one that is there."""
        if after is None:
            assert newest is not None
            self._keep(key, value, time_ms, newest.from_ms)
            return Put(newest.from_ms, self._deletion_at(key, time_ms))
        assert after.until_ms is not None
        if after.from_ms > time_ms:
            self._keep(key, value, time_ms, after.from_ms)
            return Put(after.from_ms, self._deletion_at(key, time_ms))
        if after.from_ms < time_ms:
            self._keep(key, after.value, after.from_ms, time_ms)
        self._keep(key, value, time_ms, after.until_ms)
        return Put(after.until_ms, after if after.from_ms == time_ms else None)

    def _deletion_at(self, key: bytes, time_ms: int) -> Version | None:
        """The deletion at this very time, where no version begins: one ends there, if only with itself."""
        is_end = self.history.get(self._place(key, time_ms)) is not None
        return Version(None, time_ms, None) if is_end else None

    def get(self, key: bytes) -> Version | None:
        """The newest version; None if there is none or it is a deletion."""
        entry = self.latest.get(key)
        return None if entry is None or entry[0] is None else Version(entry[0], entry[1], None)

    def get_as_of(self, key: bytes, time_ms: int) -> Version | None:
        """The version that holds at a time; None if there is none, it is a deletion, or the history ends before."""
        newest = self.get(key)
        if newest is not None and newest.from_ms <= time_ms:
            return newest
        if self.is_out_of_reach(time_ms, self.clock_ms):
            return None
        found = self.version_at(key, time_ms)
        return None if found is None or found.value is None else found

    def version_at(self, key: bytes, time_ms: int) -> Version | None:
        """The same whatever the history, and a deletion as the version it is."""
        newest = self.get(key)
        if newest is not None and newest.from_ms <= time_ms:
            return newest
        after = self._first_ending_after(key, time_ms)
        return after if after is not None and after.from_ms <= time_ms else None

    def delete(self, key: bytes, time_ms: int) -> Version | None:
        """No value from this time on; what held at that time."""
        found = None if self.is_out_of_reach(time_ms, self.clock_ms) else self.get_as_of(key, time_ms)
        self.put(key, None, time_ms)
        return found

    def is_out_of_reach(self, time_ms: int, clock_ms: int) -> bool:
        """True for a time before the history, when the clock is this."""
        return time_ms < clock_ms - self._history_ms

    def _first_ending_after(self, key: bytes, time_ms: int) -> Version | None:
        for start, end in bucket_ranges(key, time_ms + 1, self.clock_ms, self._segment_ms):
            for place, entry in self.history.scan(start, end):
                return Version(entry[0].value, entry[1], bucket_parts(place)[1])
        return None

    def _keep(self, key: bytes, value: Any, from_ms: int, until_ms: int) -> None:
        self.history.put(self._place(key, until_ms), (Kept(value), from_ms))

    def _place(self, key: bytes, until_ms: int) -> bytes:
        return bucket_key(segment_of(until_ms, self._segment_ms), key, until_ms)


class Kept(NamedTuple):
    """The value of a replaced version, which is None if it was a deletion."""

    value: Any


class VersionKey(NamedTuple):
    """A key, and the time (ms) until which it had the value."""

    key: Any
    until: int


@dataclass(frozen=True)
class VersionKeySerde(GuardedSerde[VersionKey]):
    """Reads the keys of a history store; they are written by the store itself."""

    inner: Serde[Any]

    @property
    def name(self) -> str:
        return f"version[{self.inner.name}]"

    def _encode_all(self, values: Any) -> list[bytes]:  # noqa: ARG002  # the protocol's
        raise TypeError("the place of a replaced version follows from its segment, which a key alone does not tell")

    def _decode_all(self, data: Any) -> list[VersionKey]:
        parts = list(map(bucket_parts, data))
        keys: list[Any] = self.inner.deserialize_many([key for key, _, _ in parts])
        return [VersionKey(key, until) for key, (_, until, _) in zip(keys, parts, strict=True)]


@dataclass(frozen=True)
class VersionSerde(GuardedSerde[Kept]):
    """Values of a history store: a byte 1, then the value's own; or a byte 0 for a deletion."""

    inner: Serde[Any]

    @property
    def name(self) -> str:
        return f"optional[{self.inner.name}]"

    def _encode_all(self, values: Any) -> list[bytes]:
        inner = self.inner.serialize_many([kept.value for kept in values])
        return [b"\0" if data is None else b"\1" + data for data in inner]

    def _decode_all(self, data: Any) -> list[Kept]:
        return list(map(Kept, self.inner.deserialize_many([None if item == b"\0" else item[1:] for item in data])))
