"""Avro's binary encoding, value by value: what is written and read of each kind of type but records.

A long is zigzag (0, -1, 1, -2, … become 0, 1, 2, 3, …) in groups of seven bits, the lowest first, each but the last
with its high bit set. A text or bytes is its length as a long, then itself; a double is eight bytes, little-endian; an
optional value is 0, or 2 and the value; arrays and maps are blocks of a count and so many items, ended by a count of 0.

Writers raise many things for values of another type; readers SerdeError, and IndexError and struct.error where the data
ends too early.
"""

import struct
from collections.abc import Callable
from typing import Any, NoReturn

from msgspec import inspect

from serde.errors import mismatch

Writer = Callable[[Any], bytes]
Reader = Callable[[bytes, int], tuple[Any, int]]
"""From the data and a place in it to a value and the place behind it."""

DOUBLE = struct.Struct("<d")
BOOLEANS = {False: b"\x00", True: b"\x01"}


def _group_bits(number: int) -> bytes:
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


SMALL = 1 << 14
SHORT = [_group_bits(number) for number in range(SMALL)]  # numbers of one or two groups
_PAIR = [bytes((number & 127 | 128, number >> 7 | 128)) for number in range(SMALL)]  # two groups with more behind them


def unsigned(number: int) -> bytes:
    """The groups of a number of at most 64 bits."""
    if number >> 64:
        number = number >> 1 ^ -(number & 1)
        raise mismatch("an int of 64 bits", str(number))
    groups = b""
    while number >= SMALL:
        groups += _PAIR[number & SMALL - 1]
        number >>= 14
    return groups + SHORT[number]


def write_long(number: int) -> bytes:
    return unsigned(number << 1 if number >= 0 else ~(number << 1))


def read_long(data: bytes, i: int) -> tuple[int, int]:
    number = shift = 0
    while (group := data[i]) > 127:
        number |= (group & 127) << shift
        i += 1
        shift += 7
    number |= group << shift
    if number >> 64:
        refuse("a number of more than 64 bits")
    return number >> 1 ^ -(number & 1), i + 1


def read_length(data: bytes, i: int) -> tuple[int, int]:
    """The double of a length, as `number << 1` is what the bytes say, and the place behind it."""
    length, i = read_long(data, i)
    if length < 0:
        refuse("a negative length")
    return length << 1, i


def refuse(what: str) -> NoReturn:
    raise mismatch("Avro", f"malformed data ({what})")


def refuse_length(data: bytes, end: int) -> NoReturn:
    if end > len(data):
        raise IndexError
    refuse(f"{len(data) - end} bytes behind the end of the value")


def list_writer(write: Writer) -> Writer:
    def write_list(values: Any) -> bytes:
        if not isinstance(values, list):
            raise TypeError("no list")
        return b"".join((write_long(len(values)), *map(write, values), b"\x00")) if values else b"\x00"

    return write_list


def dict_writer(write: Writer) -> Writer:
    def write_dict(values: Any) -> bytes:
        if not isinstance(values, dict):
            raise TypeError("no dict")
        pairs = [_write_str(key) + write(value) for key, value in values.items()]
        return b"".join((write_long(len(values)), *pairs, b"\x00")) if values else b"\x00"

    return write_dict


def list_reader(read: Reader) -> Reader:
    def read_list(data: bytes, i: int) -> tuple[Any, int]:
        values = []
        count, i = _read_count(data, i)
        while count:
            for _ in range(count):
                value, i = read(data, i)
                values.append(value)
            count, i = _read_count(data, i)
        return values, i

    return read_list


def dict_reader(read: Reader) -> Reader:
    read_pairs = list_reader(lambda data, i: _read_pair(data, i, read))

    def read_dict(data: bytes, i: int) -> tuple[Any, int]:
        pairs, i = read_pairs(data, i)
        return dict(pairs), i

    return read_dict


def _read_pair(data: bytes, i: int, read: Reader) -> tuple[Any, int]:
    key, i = _read_str(data, i)
    value, i = read(data, i)
    return (key, value), i


def _read_count(data: bytes, i: int) -> tuple[int, int]:
    count, i = read_long(data, i)
    if count < 0:  # then the size of the block follows, for readers that step over it
        _, i = read_long(data, i)
    return abs(count), i


def optional_reader(read: Reader) -> Reader:
    def read_optional(data: bytes, i: int) -> tuple[Any, int]:
        if data[i] == 0:
            return None, i + 1
        if data[i] != 2:
            refuse(f"branch {data[i] >> 1} of a union of two")
        return read(data, i + 1)

    return read_optional


def _write_bytes(value: bytes) -> bytes:
    return write_long(len(value)) + value


def _write_str(value: str) -> bytes:
    return _write_bytes(value.encode())


def _read_bytes(data: bytes, i: int) -> tuple[Any, int]:
    length, i = read_length(data, i)
    end = i + (length >> 1)
    return data[i:end], end


def _read_str(data: bytes, i: int) -> tuple[Any, int]:
    value, end = _read_bytes(data, i)
    return value.decode(), end


def _read_double(data: bytes, i: int) -> tuple[Any, int]:
    return DOUBLE.unpack_from(data, i)[0], i + 8


def read_bool(data: bytes, i: int) -> tuple[Any, int]:
    if data[i] > 1:
        refuse(f"{data[i]} as a boolean")
    return data[i] == 1, i + 1


WRITERS: dict[type, Writer] = {
    inspect.StrType: _write_str,
    inspect.BytesType: _write_bytes,
    inspect.IntType: write_long,
    inspect.FloatType: DOUBLE.pack,
    inspect.BoolType: BOOLEANS.__getitem__,
}
READERS: dict[type, Reader] = {
    inspect.StrType: _read_str,
    inspect.BytesType: _read_bytes,
    inspect.IntType: read_long,
    inspect.FloatType: _read_double,
    inspect.BoolType: read_bool,
}
