"""Values with a wire format of their own, as Kafka's serializers write them.

| type | bytes |
|---|---|
| bytes | as they are |
| str | UTF-8 |
| int | 8 bytes, big-endian, signed (LongSerializer) |
| float | 8 bytes, big-endian IEEE 754 (DoubleSerializer) |
| bool | 1 byte, 0 or 1 (BooleanSerializer) |

UUID and datetime, which are texts, live in `texts.py`.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from serde.base import GuardedSerde
from serde.errors import mismatch
from serde.outer import outer_type

T = TypeVar("T")

_BYTES, _STR, _INT, _FLOAT, _BOOL = map(outer_type, (bytes, str, int, float, bool))
_LONG, _DOUBLE = struct.Struct(">q"), struct.Struct(">d")
_FROM_BOOL = {False: b"\x00", True: b"\x01"}
_TO_BOOL = {data: value for value, data in _FROM_BOOL.items()}


@dataclass(frozen=True)
class BytesSerde(GuardedSerde[bytes]):
    """Bytes as they are."""

    name = "bytes"

    def _encode_all(self, values: Sequence[bytes]) -> list[bytes]:
        if not _BYTES.admits_all(values):
            raise _BYTES.mismatch(values)
        return list(values)

    def _decode_all(self, data: Sequence[bytes]) -> list[bytes]:
        return list(data)


@dataclass(frozen=True)
class StrSerde(GuardedSerde[str]):
    """Text as UTF-8."""

    name = "str"

    def _encode_all(self, values: Sequence[str]) -> list[bytes]:
        try:
            return list(map(str.encode, values))  # the method of the class checks the type at no cost
        except TypeError:
            raise _STR.mismatch(values) from None

    def _decode_all(self, data: Sequence[bytes]) -> list[str]:
        return list(map(bytes.decode, data))

    def _encode(self, value: str) -> bytes:
        if isinstance(value, str):
            return value.encode()
        raise _STR.mismatch((value,))

    def _decode(self, data: bytes) -> str:
        return data.decode()


@dataclass(frozen=True)
class IntSerde(GuardedSerde[int]):
    """Whole numbers of 64 bits, big-endian and signed; bool is not among them."""

    name = "int"

    def _encode_all(self, values: Sequence[int]) -> list[bytes]:
        if not _INT.admits_all(values):
            raise _INT.mismatch(values)
        try:
            return list(map(_LONG.pack, values))
        except struct.error as error:
            hint = 'Numbers beyond 64 bits need another format: set serde="json".'
            raise mismatch("int from -2**63 to 2**63 - 1", "int out of range", hint=hint) from error

    def _decode_all(self, data: Sequence[bytes]) -> list[int]:
        check_width(data, 8, self.name)
        return list(struct.Struct(f">{len(data)}q").unpack(b"".join(data)))

    def _decode(self, data: bytes) -> int:
        check_width((data,), 8, self.name)
        value: int = _LONG.unpack(data)[0]
        return value


@dataclass(frozen=True)
class FloatSerde(GuardedSerde[float]):
    """Floating-point numbers of 64 bits, big-endian; an int is accepted and comes back as float."""

    name = "float"

    def _encode_all(self, values: Sequence[float]) -> list[bytes]:
        if not _FLOAT.admits_all(values):
            raise _FLOAT.mismatch(values)
        try:
            return list(map(_DOUBLE.pack, values))
        except struct.error as error:  # of all ints and floats, only an int can be too large
            raise mismatch("float", "int out of range") from error

    def _decode_all(self, data: Sequence[bytes]) -> list[float]:
        check_width(data, 8, self.name)
        return list(struct.Struct(f">{len(data)}d").unpack(b"".join(data)))

    def _decode(self, data: bytes) -> float:
        check_width((data,), 8, self.name)
        value: float = _DOUBLE.unpack(data)[0]
        return value


@dataclass(frozen=True)
class BoolSerde(GuardedSerde[bool]):
    """One byte, 0 or 1."""

    name = "bool"

    def _encode_all(self, values: Sequence[bool]) -> list[bytes]:
        if not _BOOL.admits_all(values):
            raise _BOOL.mismatch(values)
        return list(map(_FROM_BOOL.__getitem__, values))

    def _decode_all(self, data: Sequence[bytes]) -> list[bool]:
        try:
            return list(map(_TO_BOOL.__getitem__, data))
        except KeyError:
            wrong = next(item for item in data if item not in _TO_BOOL)
            raise mismatch("bool (one byte, 0 or 1)", _bytes_in_words(wrong)) from None


def check_width(data: Sequence[bytes], width: int, name: str) -> None:
    """Refuse data that are not all of one width, in bytes."""
    if list(map(len, data)).count(width) != len(data):
        wrong = next(item for item in data if len(item) != width)
        hint = 'If the topic holds text, declare it as str or set serde="json".'
        raise mismatch(f"{name} ({width} bytes)", _bytes_in_words(wrong), hint=hint)


def _bytes_in_words(data: bytes) -> str:
    return f"byte 0x{data.hex()}" if len(data) == 1 else f"{len(data)} bytes"
