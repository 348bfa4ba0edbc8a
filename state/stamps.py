"""How a value and its timestamp are stored: 8 bytes of timestamp (ms, big-endian, signed), then the value.

A changelog record carries the plain value and has the timestamp as its own, so that anybody can read a changelog.
"""

import struct
from collections.abc import Sequence

_STAMP = struct.Struct(">q")
WIDTH = _STAMP.size
_pack = _STAMP.pack
_unpack_from = _STAMP.unpack_from


def stamp_many(values: Sequence[bytes | None], timestamps: Sequence[int]) -> list[bytes | None]:
    """Stored bytes of each value; None (deleted) stays None."""
    return [
        None if value is None else _pack(timestamp) + value for value, timestamp in zip(values, timestamps, strict=True)
    ]


def unstamp(stored: bytes) -> tuple[bytes, int]:
    """The value's bytes and its timestamp."""
    return stored[WIDTH:], int(_unpack_from(stored)[0])
