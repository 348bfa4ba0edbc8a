"""The unit of work: records of one partition as parallel lists.

A column knows its undecoded bytes, its decoded values, or both, and makes the missing one when somebody asks: a count
never decodes its values, and what nobody changed is written back as the bytes that were read. Each is made once per
chunk, however many steps ask.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, compress
from operator import itemgetter
from typing import Any

from framework.records import Headers
from serde import Serde


class Column:
    """Keys or values of a chunk: decoded, encoded with some serde, or both. At least one is there; None stays None."""

    __slots__ = ("_decoded", "_encoded", "_serde")

    def __init__(
        self,
        decoded: list[Any] | None = None,
        encoded: list[bytes | None] | None = None,
        serde: Serde[Any] | None = None,
    ) -> None:
        self._decoded, self._encoded, self._serde = decoded, encoded, serde

    def __len__(self) -> int:
        return len(self._any())

    def _any(self) -> list[Any]:
        if self._encoded is not None:
            return self._encoded
        assert self._decoded is not None
        return self._decoded

    @property
    def decoded(self) -> list[Any]:
        """The values as the user's functions see them. Raises SerdeError."""
        if self._decoded is None:
            assert self._serde is not None and self._encoded is not None
            self._decoded = self._serde.deserialize_many(self._encoded)
        return self._decoded

    def encoded(self, serde: Serde[Any]) -> list[bytes | None]:
        """The values as bytes of this serde; the bytes that were read, if it is the same. Raises SerdeError."""
        if self._encoded is not None and (self._serde is serde or self._serde == serde):
            return self._encoded
        encoded = serde.serialize_many(self.decoded)
        if self._encoded is None:
            self._encoded, self._serde = encoded, serde
        return encoded

    def forms(self) -> list[Any]:
        """The entries in the form that is at hand; equal entries have equal forms."""
        return self._any()

    def has_none(self) -> bool:
        if self._encoded is not None:
            # Cost: bytes are nearly always there and not empty, and truth is quicker to ask for than equality.
            return not all(self._encoded) and None in self._encoded
        return type(None) in set(map(type, self._any()))  # a search for None would call the user's __eq__

    def is_present(self) -> list[bool]:
        return [value is not None for value in self._any()]

    def select(self, flags: Sequence[Any]) -> "Column":
        """The entries whose flag is true."""
        return Column(
            None if self._decoded is None else list(compress(self._decoded, flags)),
            None if self._encoded is None else list(compress(self._encoded, flags)),
            self._serde,
        )

    def take(self, indices: Sequence[int]) -> "Column":
        """The entries at these places, in this order."""
        return Column(
            None if self._decoded is None else take(self._decoded, indices),
            None if self._encoded is None else take(self._encoded, indices),
            self._serde,
        )


class Chunk:
    """n >= 0 records of one partition as parallel columns.

    Timestamps are in ms. `headers` is None when no record has any. `order` tells which record of the source chunk each
    record came from; it is kept only where paths meet, so that they meet in order. `olds` are, in the changes of a
    table whose reader asks for them, the values that `values` replace; None for a key that was not there.
    """

    __slots__ = ("headers", "keys", "olds", "order", "timestamps", "values")

    def __init__(
        self,
        keys: Column,
        values: Column,
        timestamps: list[int],
        headers: list[Headers | None] | None = None,
        order: list[int] | None = None,
        olds: list[Any] | None = None,
    ) -> None:
        self.keys, self.values, self.timestamps = keys, values, timestamps
        self.headers, self.order, self.olds = headers, order, olds

    def __len__(self) -> int:
        return len(self.timestamps)

    def with_values(self, values: list[Any]) -> "Chunk":
        return Chunk(self.keys, Column(values), self.timestamps, self.headers, self.order)

    def with_keys(self, keys: list[Any]) -> "Chunk":
        return Chunk(Column(keys), self.values, self.timestamps, self.headers, self.order)

    def select(self, flags: Sequence[Any]) -> "Chunk":
        """The records whose flag is true; the chunk itself if that is all of them."""
        if all(flags):
            return self
        return Chunk(
            self.keys.select(flags),
            self.values.select(flags),
            list(compress(self.timestamps, flags)),
            None if self.headers is None else list(compress(self.headers, flags)),
            None if self.order is None else list(compress(self.order, flags)),
            None if self.olds is None else list(compress(self.olds, flags)),
        )

    def take(self, indices: Sequence[int]) -> "Chunk":
        """The records at these places, in this order; a place may come several times."""
        return Chunk(
            self.keys.take(indices),
            self.values.take(indices),
            take(self.timestamps, indices),
            None if self.headers is None else take(self.headers, indices),
            None if self.order is None else take(self.order, indices),
            None if self.olds is None else take(self.olds, indices),
        )

    def present(self) -> "Chunk":
        """The records that have both a key and a value."""
        if not self.keys.has_none() and not self.values.has_none():
            return self
        flags = [k and v for k, v in zip(self.keys.is_present(), self.values.is_present(), strict=True)]
        return self.select(flags)


def take(items: list[Any], indices: Sequence[int]) -> list[Any]:
    if len(indices) > 1:
        return list(itemgetter(*indices)(items))
    return [items[i] for i in indices]


def concatenate(chunks: Sequence[Chunk]) -> Chunk:
    """All records, chunk by chunk; in the order of their source records where the chunks know it."""
    if len(chunks) == 1:
        return chunks[0]
    timestamps = _join(c.timestamps for c in chunks)
    headers = None
    if any(c.headers is not None for c in chunks):
        headers = _join(c.headers if c.headers is not None else [None] * len(c) for c in chunks)
    order = None
    if all(c.order is not None for c in chunks):
        order = _join(c.order for c in chunks if c.order is not None)
    olds = None
    if all(c.olds is not None for c in chunks):
        olds = _join(c.olds for c in chunks if c.olds is not None)
    keys, values = _join_columns([c.keys for c in chunks]), _join_columns([c.values for c in chunks])
    joined = Chunk(keys, values, timestamps, headers, order, olds)
    if order is None:
        return joined
    return joined.take(sorted(range(len(order)), key=order.__getitem__))


def _join_columns(columns: Sequence[Column]) -> Column:
    serde = columns[0]._serde
    if all(c._encoded is not None and c._serde == serde for c in columns):
        return Column(None, _join(c._encoded for c in columns if c._encoded is not None), serde)
    return Column(_join(c.decoded for c in columns))


def _join(lists: Iterable[list[Any]]) -> list[Any]:
    return list(chain.from_iterable(lists))
