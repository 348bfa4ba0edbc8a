"""Values made of several: what travels between the halves of a table's grouping or join, and what buffers keep.

Each is a named tuple whose parts have serdes of their own. As bytes: every part after its length (4 bytes, big-endian,
-1 for None), so no part can be taken for another's.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from serde.base import GuardedSerde, Serde
from serde.errors import mismatch

V = TypeVar("V")
K = TypeVar("K")
_LENGTH = struct.Struct(">i")
_TIME = struct.Struct(">Q")


class Change(NamedTuple, Generic[V]):
    """A row of a table as it is now and as it was before; None: it was not there."""

    new: V | None
    old: V | None


class Subscription(NamedTuple, Generic[K]):
    """A row of the left table asks for a row of the right one, by its foreign key.

    `instruction` says what becomes of it and what it answers (`operators/foreign_key_join.py`); `digest` tells which
    value of the left row asked; None: it was deleted.
    """

    key: K
    digest: bytes | None
    instruction: str


class Response(NamedTuple, Generic[V]):
    """The answer: the row of the right table, and which value of the left row asked for it."""

    value: V | None
    digest: bytes | None


class Subscriber(NamedTuple):
    """A foreign key, and the key of a left row that has it."""

    foreign_key: Any
    key: Any


class TimedKey(NamedTuple, Generic[K]):
    """A key that waits for a time (ms)."""

    time: int
    key: K


class Waiting(NamedTuple, Generic[V]):
    """A record that waits, without its key: value and headers."""

    value: V
    headers: list[tuple[str, bytes | None]] | None


@dataclass(frozen=True)
class PartsSerde(GuardedSerde[Any]):
    """Named tuples of the class `kind`, given the serdes of their parts."""

    kind: type[Any]
    parts: tuple[Serde[Any], ...]

    @property
    def name(self) -> str:
        return f"{self.kind.__name__.lower()}[{', '.join(part.name for part in self.parts)}]"

    def _encode_all(self, values: Sequence[Any]) -> list[bytes]:
        if not values:
            return []
        columns = [
            part.serialize_many(list(column))
            for part, column in zip(self.parts, zip(*values, strict=True), strict=True)
        ]
        return [join_parts(row) for row in zip(*columns, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Any]:
        if not data:
            return []
        rows = [split_parts(item, len(self.parts)) for item in data]
        columns = [
            part.deserialize_many(list(column))
            for part, column in zip(self.parts, zip(*rows, strict=True), strict=True)
        ]
        return [self.kind(*row) for row in zip(*columns, strict=True)]


def join_parts(parts: Sequence[bytes | None]) -> bytes:
    """All parts, each after its length."""
    return b"".join(_LENGTH.pack(-1) if part is None else _LENGTH.pack(len(part)) + part for part in parts)


def split_parts(data: bytes, count: int) -> list[bytes | None]:
    """The parts again. Raises SerdeError."""
    parts = list(iterate_parts(data))
    if len(parts) != count:
        raise mismatch(f"{count} parts", f"{len(parts)}")
    return parts


def iterate_parts(data: bytes) -> Iterator[bytes | None]:
    """All parts. Raises SerdeError."""
    at = 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise mismatch("the length of a part", f"{len(data) - at} bytes")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise mismatch(f"a part of {length} bytes", f"{len(data) - at} bytes")
        yield None if length < 0 else data[at : at + length]
        at += max(0, length)


@dataclass(frozen=True)
class TimedKeySerde(GuardedSerde[TimedKey[Any]]):
    """Keys that sort by time, then by the key's bytes: time (8 bytes), key, `counter` bytes that tell equals apart."""

    inner: Serde[Any]
    counter: int = 0

    @property
    def name(self) -> str:
        return f"timed[{self.inner.name}]"

    def _encode_all(self, values: Sequence[TimedKey[Any]]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([value.key for value in values])
        return [_TIME.pack(value.time) + key + bytes(self.counter) for value, key in zip(values, keys, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[TimedKey[Any]]:
        keys: list[Any] = self.inner.deserialize_many([item[_TIME.size : len(item) - self.counter] for item in data])
        return [TimedKey(int(_TIME.unpack_from(item)[0]), key) for item, key in zip(data, keys, strict=True)]


@dataclass(frozen=True)
class HeadersSerde(GuardedSerde[list[tuple[str, bytes | None]]]):
    """Headers of a record: name and value in turn, as parts."""

    @property
    def name(self) -> str:
        return "headers"

    def _encode_all(self, values: Sequence[list[tuple[str, bytes | None]]]) -> list[bytes]:
        return [join_parts([part for name, value in headers for part in (name.encode(), value)]) for headers in values]

    def _decode_all(self, data: Sequence[bytes]) -> list[list[tuple[str, bytes | None]]]:
        return [_pairs(list(iterate_parts(item))) for item in data]


def _pairs(parts: list[bytes | None]) -> list[tuple[str, bytes | None]]:
    return [((name or b"").decode(), value) for name, value in zip(parts[::2], parts[1::2], strict=True)]


@dataclass(frozen=True)
class SubscriberSerde(GuardedSerde[Subscriber]):
    """Keys that stand together by foreign key: its length (4 bytes), its bytes, then the key's."""

    foreign_key: Serde[Any]
    key: Serde[Any]

    @property
    def name(self) -> str:
        return f"subscriber[{self.foreign_key.name}, {self.key.name}]"

    def _encode_all(self, values: Sequence[Subscriber]) -> list[bytes]:
        foreign_keys: list[Any] = self.foreign_key.serialize_many([value.foreign_key for value in values])
        keys: list[Any] = self.key.serialize_many([value.key for value in values])
        return [subscriber_prefix(fk) + key for fk, key in zip(foreign_keys, keys, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Subscriber]:
        ends = [_LENGTH.size + int(_LENGTH.unpack_from(item)[0]) for item in data]
        foreign_keys = self.foreign_key.deserialize_many(
            [item[_LENGTH.size : end] for item, end in zip(data, ends, strict=True)]
        )
        keys = self.key.deserialize_many([item[end:] for item, end in zip(data, ends, strict=True)])
        return list(map(Subscriber, foreign_keys, keys))


def subscriber_prefix(foreign_key: bytes) -> bytes:
    """What all subscribers of a foreign key begin with, and no others."""
    return _LENGTH.pack(len(foreign_key)) + foreign_key
