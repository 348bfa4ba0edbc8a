"""Keys of the store beside the states of a class: timers by time and by key, and when entries expire.

The first byte says what an entry is, the rest where it stands; times are 8 bytes that sort as they do (`state.keys`).

| kind | bytes after it | value |
|---|---|---|
| event queue, wall queue | time (8) + length (4) + key + name | 1 |
| of a key | length (4) + key + one of: "n" + name, "e" + time (8), "w" + time (8) | [time, is wall clock] |
| mark | nothing | the time up to which no wall-clock timer waits |
| expiry | time (8) + length (1) + name of the state + key of the entry | 1 |
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serde import Serde
from serde.base import GuardedSerde
from state.keys import bucket_prefix, time_bytes, time_of

EVENT, WALL, OF_KEY, EXPIRY, MARK = b"\x01", b"\x02", b"\x03", b"\x04", b"\x05"
_LENGTH = struct.Struct(">I")
_AFTER_TIME = 9


def queue_key(kind: bytes, at_ms: int, key: bytes, name: bytes) -> bytes:
    """The place of a timer in its queue."""
    return kind + time_bytes(at_ms) + bucket_prefix(key) + name


def queue_parts(entry: bytes) -> tuple[int, bytes, bytes]:
    """Time (ms), key and name of a timer."""
    start = _AFTER_TIME + _LENGTH.size
    end = start + int(_LENGTH.unpack_from(entry, _AFTER_TIME)[0])
    return time_of(entry, 1), entry[start:end], entry[end:]


def of_key_prefix(key: bytes) -> bytes:
    """What all timers of a key begin with."""
    return OF_KEY + bucket_prefix(key)


def of_key_tail(kind: bytes, at_ms: int, name: bytes) -> bytes:
    """What tells the timers of a key apart: the name, else the clock and the time."""
    if name:
        return b"n" + name
    return (b"e" if kind == EVENT else b"w") + time_bytes(at_ms)


def expiry_key(due_ms: int, attribute: bytes, entry: bytes) -> bytes:
    """When the entry of a state may be looked at for removal."""
    return EXPIRY + time_bytes(due_ms) + bytes((len(attribute),)) + attribute + entry


def expiry_parts(entry: bytes) -> tuple[str, bytes]:
    """Name of the state, and key of its entry."""
    start = _AFTER_TIME + 1
    end = start + entry[_AFTER_TIME]
    return entry[start:end].decode(), entry[end:]


@dataclass(frozen=True)
class TimerKeySerde(GuardedSerde[tuple[Any, ...]]):
    """These keys for people: ("event" or "wall", time, key, name) for timers, else the kind and the bytes."""

    inner: Serde[Any]

    @property
    def name(self) -> str:
        return f"timers[{self.inner.name}]"

    def _encode_all(self, values: Sequence[tuple[Any, ...]]) -> list[bytes]:
        return [self._encode_key(value) for value in values]

    def _decode_all(self, data: Sequence[bytes]) -> list[tuple[Any, ...]]:
        return [self._decode_key(item) for item in data]

    def _encode_key(self, value: tuple[Any, ...]) -> bytes:
        kind, *rest = value
        if kind in ("event", "wall"):
            at_ms, key, name = rest
            return queue_key(EVENT if kind == "event" else WALL, at_ms, self.inner.serialize(key), name.encode())
        return {"of key": OF_KEY, "expiry": EXPIRY, "mark": MARK}[kind] + bytes(rest[0])

    def _decode_key(self, item: bytes) -> tuple[Any, ...]:
        kind = item[:1]
        if kind in (EVENT, WALL):
            at_ms, key, name = queue_parts(item)
            return "event" if kind == EVENT else "wall", at_ms, self.inner.deserialize(key), name.decode()
        return {OF_KEY: "of key", EXPIRY: "expiry", MARK: "mark"}[kind], item[1:]
