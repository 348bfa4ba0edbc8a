"""Keys of windowed stores, as serdes: how a `Windowed[K]` stands in its store (layouts: `keys.py`).

| serde | bytes | for |
|---|---|---|
| `WindowKeySerde` | end (8) + key | windows of one size, in the order in which they close and expire |
| `SessionKeySerde` | 0 (8) + length of key (4) + key + start (8) + end (8) | sessions: those of one key by time |
| `DueKeySerde` | time (8) + key | what is to be looked at when stream time passes that time |
| `ArrivalKeySerde` | segment (8) + length of key (4) + key + time (8) + number (8) | records of a key by time |

Records are in bucket stores (`buckets.py`). Sessions have the same layout; one may last for ever, so all of a key stand
together.

A window of fixed size is stored by its end, because ends are never negative; a start may be, with an offset.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from serde import Serde, Windowed
from serde.base import GuardedSerde
from state.keys import TIME_WIDTH, bucket_key, bucket_parts, segment_of, time_bytes, time_of

_KEY_AT = TIME_WIDTH + 4
_HEAD, _BOUNDS = struct.Struct(">QI"), struct.Struct(">QQ")


@dataclass(frozen=True)
class WindowKeySerde(GuardedSerde[Windowed[Any]]):
    """Windows of `size_ms`; None: the one that never ends."""

    inner: Serde[Any]
    size_ms: int | None

    @property
    def name(self) -> str:
        return f"window[{self.inner.name}]"

    def start_of(self, end_ms: int) -> int:
        """Where the window with this end begins (ms)."""
        return 0 if self.size_ms is None else end_ms - self.size_ms

    def _encode_all(self, values: Sequence[Windowed[Any]]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([window.key for window in values])
        return [time_bytes(window.end) + key for window, key in zip(values, keys, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Windowed[Any]]:
        keys = self.inner.deserialize_many([item[TIME_WIDTH:] for item in data])
        ends = list(map(time_of, data))
        return [Windowed(key, self.start_of(end), end) for key, end in zip(keys, ends, strict=True)]


@dataclass(frozen=True)
class SessionKeySerde(GuardedSerde[Windowed[Any]]):
    """Sessions, from their first to their last record."""

    inner: Serde[Any]

    @property
    def name(self) -> str:
        return f"session[{self.inner.name}]"

    def _encode_all(self, values: Sequence[Windowed[Any]]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([window.key for window in values])
        return [session_key(key, window.start, window.end) for window, key in zip(values, keys, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Windowed[Any]]:
        parts = list(map(session_parts, data))
        keys = self.inner.deserialize_many([key for key, _, _ in parts])
        return [Windowed(key, start, end) for key, (_, start, end) in zip(keys, parts, strict=True)]


def session_key(key: bytes, start_ms: int, end_ms: int) -> bytes:
    """The place of a session in its store."""
    return _HEAD.pack(0, len(key)) + key + _BOUNDS.pack(start_ms, end_ms)


def session_parts(composite: bytes) -> tuple[bytes, int, int]:
    """Key, start and end (ms) of a session."""
    at = len(composite) - 2 * TIME_WIDTH
    return composite[_KEY_AT:at], time_of(composite, at), time_of(composite, at + TIME_WIDTH)


def session_of(composite: bytes) -> bytes:
    """The key of a session."""
    return composite[_KEY_AT : -2 * TIME_WIDTH]


def session_end(composite: bytes) -> int:
    """The end (ms) of a session."""
    return time_of(composite, len(composite) - TIME_WIDTH)


def session_windowed(composite: bytes) -> bytes:
    """The bytes of a session's windowed key, which are how its place ends."""
    return composite[_KEY_AT:]


def session_bounds(composite: bytes) -> tuple[int, int]:
    """Start and end (ms) of a session."""
    start, end = _BOUNDS.unpack_from(composite, len(composite) - 2 * TIME_WIDTH)
    return start, end


def sessions_prefix(key: bytes) -> bytes:
    """What the places of a key's sessions begin with."""
    return _HEAD.pack(0, len(key)) + key


class Due(NamedTuple):
    """A time (ms) and the key that is to be looked at then; prints as `key@time`."""

    time: int
    key: Any

    def __str__(self) -> str:
        return f"{self.key}@{self.time}"


@dataclass(frozen=True)
class DueKeySerde(GuardedSerde[Due]):
    """Times with keys, in the order of time."""

    inner: Serde[Any]

    @property
    def name(self) -> str:
        return f"due[{self.inner.name}]"

    def _encode_all(self, values: Sequence[Due]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([due.key for due in values])
        return [time_bytes(due.time) + key for due, key in zip(values, keys, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Due]:
        keys = self.inner.deserialize_many([item[TIME_WIDTH:] for item in data])
        return list(map(Due, map(time_of, data), keys))


class Arrival(NamedTuple):
    """A record of a key: its time (ms), and its number in the order of arrival; prints as `key@time#number`."""

    key: Any
    time: int
    number: int

    def __str__(self) -> str:
        return f"{self.key}@{self.time}#{self.number}"


@dataclass(frozen=True)
class ArrivalKeySerde(GuardedSerde[Arrival]):
    """Records of a key in segments of `segment_ms`."""

    inner: Serde[Any]
    segment_ms: int

    @property
    def name(self) -> str:
        return f"arrival[{self.inner.name}]"

    def _encode_all(self, values: Sequence[Arrival]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([row.key for row in values])
        return [arrival_key(key, row.time, row.number, self.segment_ms) for row, key in zip(values, keys, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Arrival]:
        parts = list(map(bucket_parts, data))
        keys = self.inner.deserialize_many([key for key, _, _ in parts])
        return [Arrival(key, time, time_of(rest)) for key, (_, time, rest) in zip(keys, parts, strict=True)]


def arrival_key(key: bytes, time_ms: int, number: int, segment_ms: int) -> bytes:
    """The place of a record of a key."""
    return bucket_key(segment_of(time_ms, segment_ms), key, time_ms, time_bytes(number))
