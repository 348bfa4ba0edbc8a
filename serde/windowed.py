"""`Windowed[K]`: a key within one window; as bytes the key's own, then start and end (8 bytes each, big-endian)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from serde.base import GuardedSerde, Serde
from serde.errors import mismatch

K = TypeVar("K")
_BOUNDS = struct.Struct(">qq")
_WIDTH = _BOUNDS.size


class Windowed(NamedTuple, Generic[K]):
    """A key and the window it is counted in, from `start` to `end` (ms since the epoch); prints as `key@start/end`."""

    key: K
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.key}@{self.start}/{self.end}"


@dataclass(frozen=True)
class WindowedSerde(GuardedSerde[Windowed[Any]]):
    """Keys of windowed tables, given the serde of the key inside."""

    inner: Serde[Any]

    @property
    def name(self) -> str:
        return f"windowed[{self.inner.name}]"

    def _encode_all(self, values: Sequence[Windowed[Any]]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([value.key for value in values])
        return [key + _BOUNDS.pack(value.start, value.end) for key, value in zip(keys, values, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Windowed[Any]]:
        for item in data:
            if len(item) < _WIDTH:
                raise mismatch("a key and 16 bytes of window", f"{len(item)} bytes")
        keys = self.inner.deserialize_many([item[:-_WIDTH] for item in data])
        return [Windowed(key, *_BOUNDS.unpack(item[-_WIDTH:])) for key, item in zip(keys, data, strict=True)]


def bounds_bytes(start_ms: int, end_ms: int) -> bytes:
    """What follows the key in the bytes of a windowed key."""
    return _BOUNDS.pack(start_ms, end_ms)


def windowed_bytes(keys: Sequence[bytes], bounds: Sequence[tuple[int, int]]) -> list[bytes]:
    """The bytes of windowed keys whose inner keys are encoded already; `bounds` are start and end of each (ms)."""
    packed = {pair: _BOUNDS.pack(*pair) for pair in set(bounds)}
    return [key + packed[pair] for key, pair in zip(keys, bounds, strict=True)]
