"""Pairs as one key: the length of the first (4 bytes, big-endian), then both: equal first parts stand together."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serde.base import GuardedSerde, Serde
from serde.errors import mismatch

_LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class PairSerde(GuardedSerde[tuple[Any, Any]]):
    """Tuples of two, given the serde of each part."""

    first: Serde[Any]
    second: Serde[Any]

    @property
    def name(self) -> str:
        return f"pair[{self.first.name}, {self.second.name}]"

    def _encode_all(self, values: Sequence[tuple[Any, Any]]) -> list[bytes]:
        firsts: list[Any] = self.first.serialize_many([first for first, _ in values])
        seconds: list[Any] = self.second.serialize_many([second for _, second in values])
        return [_LENGTH.pack(len(a)) + a + b for a, b in zip(firsts, seconds, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[tuple[Any, Any]]:
        ends = [_end_of_first(item) for item in data]
        firsts = self.first.deserialize_many([item[_LENGTH.size : end] for item, end in zip(data, ends, strict=True)])
        seconds = self.second.deserialize_many([item[end:] for item, end in zip(data, ends, strict=True)])
        return list(zip(firsts, seconds, strict=True))


def _end_of_first(item: bytes) -> int:
    end = _LENGTH.size + int(_LENGTH.unpack_from(item)[0]) if len(item) >= _LENGTH.size else len(item) + 1
    if end > len(item):
        raise mismatch("two keys with the length of the first", f"{len(item)} bytes")
    return end
