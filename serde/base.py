"""What a serde is: a pair of functions between values and bytes, one at a time and by the list.

Rule for null: None is None on both sides. It stands for a tombstone, which is the framework's business; the list
forms pass it through, and no format ever sees it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from serde.errors import raise_translated

T = TypeVar("T")


class Serde(ABC, Generic[T]):
    """Values of type T to bytes and back.

    Serdes are immutable, hashable and picklable, and two for the same type and format are equal: plans compare them.
    All four functions raise `SerdeError` and nothing else, whatever the value or the bytes.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """For people and for fingerprints of a topology: "str", "int", "json[Order]"."""

    @abstractmethod
    def serialize(self, value: T) -> bytes:
        """The bytes of one value, which is not None.

        Raises:
            SerdeError: the value is not of the declared type, or has no form in this format.
        """

    @abstractmethod
    def deserialize(self, data: bytes) -> T:
        """The value that these bytes stand for.

        Raises:
            SerdeError: the bytes are malformed, or hold a value of another type.
        """

    def serialize_many(self, values: Sequence[T | None]) -> list[bytes | None]:
        """`serialize` for a list, None staying None; the hot path, so formats make it cheap.

        Raises:
            SerdeError: some value is bad; which one, the caller finds by going one by one.
        """
        serialize = self.serialize
        return [None if value is None else serialize(value) for value in values]

    def deserialize_many(self, data: Sequence[bytes | None]) -> list[T | None]:
        """`deserialize` for a list, None staying None; the hot path, so formats make it cheap.

        Raises:
            SerdeError: some element is bad; which one, the caller finds by going one by one.
        """
        deserialize = self.deserialize
        return [None if item is None else deserialize(item) for item in data]


class GuardedSerde(Serde[T]):
    """A serde that is given by two functions over lists without None; all their errors are translated here.

    Implementations write `_encode_all` and `_decode_all`, and the forms for one where they can be quicker.
    """

    @abstractmethod
    def _encode_all(self, values: Sequence[T]) -> list[bytes]:
        """Raises anything when a value is bad, and also when one is None."""

    @abstractmethod
    def _decode_all(self, data: Sequence[bytes]) -> list[T]:
        """Raises anything when an element is bad; none is None."""

    def _encode(self, value: T) -> bytes:
        return self._encode_all((value,))[0]

    def _decode(self, data: bytes) -> T:
        return self._decode_all((data,))[0]

    def serialize(self, value: T) -> bytes:
        try:
            return self._encode(value)
        except Exception as error:
            raise_translated(error, self.name)

    def deserialize(self, data: bytes) -> T:
        try:
            return self._decode(data)
        except Exception as error:
            raise_translated(error, self.name)

    def serialize_many(self, values: Sequence[T | None]) -> list[bytes | None]:
        # Cost: a search for None would call __eq__ of every value, which is Python code for a dataclass. The check of
        # types in _encode_all finds a None as well, at once, so only lists that hold one pay for it.
        try:
            return self._encode_all(values)  # type: ignore[return-value, arg-type]  # list is invariant
        except Exception as error:
            present = [value for value in values if value is not None]
            if len(present) == len(values):
                raise_translated(error, self.name)
        try:
            encoded = iter(self._encode_all(present))
        except Exception as error:
            raise_translated(error, self.name)
        return [None if value is None else next(encoded) for value in values]

    def deserialize_many(self, data: Sequence[bytes | None]) -> list[T | None]:
        try:
            if all(data) or None not in data:  # Cost: truth is quicker to ask for than equality
                return self._decode_all(data)  # type: ignore[return-value, arg-type]  # list is invariant
            decoded = iter(self._decode_all([item for item in data if item is not None]))
        except Exception as error:
            raise_translated(error, self.name)
        return [None if item is None else next(decoded) for item in data]
