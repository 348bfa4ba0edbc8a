"""Keys of the index of unmatched rows: in the order in which their windows close.

    end of the window (8) + time (8) + side (1) + number (4) + key

The end of a row's window follows from its time and its side. A key stands for a row of the store of that side.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from serde import Serde
from serde.base import GuardedSerde

LEFT, RIGHT = 1, 0  # at equal times right rows go first
_HEAD = struct.Struct(">QQBI")


class UnmatchedKey(NamedTuple):
    """A row that waits: its time (ms), its side, its key, and its number among the rows of that key and time."""

    time: int
    side: int
    key: Any
    number: int


def unmatched_bytes(end_ms: int, time_ms: int, side: int, number: int, key: bytes) -> bytes:
    """The key of a row whose window ends then (ms); its own key is encoded."""
    return _HEAD.pack(end_ms, time_ms, side, number) + key


def unmatched_row(data: bytes) -> UnmatchedKey:
    """The row that a key stands for, its own key encoded."""
    _, time_ms, side, number = _HEAD.unpack_from(data)
    return UnmatchedKey(time_ms, side, data[_HEAD.size :], number)


@dataclass(frozen=True)
class UnmatchedKeySerde(GuardedSerde[UnmatchedKey]):
    """Such keys, given the serde of the key inside and how long after its time a row's window ends (ms), by side."""

    inner: Serde[Any]
    left_ms: int
    right_ms: int

    @property
    def name(self) -> str:
        return f"unmatched[{self.inner.name}]"

    def _encode_all(self, values: Sequence[UnmatchedKey]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([row.key for row in values])
        return [
            unmatched_bytes(
                row.time + (self.left_ms if row.side == LEFT else self.right_ms), row.time, row.side, row.number, key
            )
            for key, row in zip(keys, values, strict=True)
        ]

    def _decode_all(self, data: Sequence[bytes]) -> list[UnmatchedKey]:
        rows = [unmatched_row(item) for item in data]
        keys = self.inner.deserialize_many([row.key for row in rows])
        return [row._replace(key=key) for key, row in zip(keys, rows, strict=True)]
