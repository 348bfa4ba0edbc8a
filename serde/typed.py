"""What the serdes of declared types share: the type and format that identify them, and the checks around the codec."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from serde.base import GuardedSerde
from serde.errors import SerdeError, mismatch
from serde.naming import type_name
from serde.outer import OuterType, outer_type

Format = Literal["json", "msgpack", "avro"]
_NULL: dict[str, bytes] = {"json": b"null", "msgpack": b"\xc0"}


@dataclass(frozen=True)
class TypedSerde(GuardedSerde[Any]):
    """Values of the declared type `tp` in `format`; the codec is built when first used."""

    tp: object
    format: Format

    @property
    def name(self) -> str:
        return f"{self.format}[{type_name(self.tp)}]"

    def prepare(self) -> None:
        """Build the codec and whatever else may fail for this type; raises what the library raises."""
        hash(self)
        _ = self._encode_one, self._decode_one

    @abstractmethod
    def _build_encoder(self) -> Callable[[Any], bytes]: ...

    @abstractmethod
    def _build_decoder(self) -> Callable[[bytes], Any]: ...

    # Invariant: what is cached here is no field, so it takes no part in ==, hash and pickling.
    @cached_property
    def _encode_one(self) -> Callable[[Any], bytes]:
        return self._build_encoder()

    @cached_property
    def _decode_one(self) -> Callable[[bytes], Any]:
        return self._build_decoder()

    @cached_property
    def _outer(self) -> OuterType:
        return outer_type(self.tp)

    def _encode_all(self, values: Sequence[Any]) -> list[bytes]:
        if not self._outer.admits_all(values):
            raise self._outer.mismatch(values)
        encoded = list(map(self._encode_one, values))
        if (null := _NULL[self.format]) in encoded:
            raise self._written_as_null(values[encoded.index(null)])
        return encoded

    def _encode(self, value: Any) -> bytes:
        if not self._outer.admits(type(value)):
            raise self._outer.mismatch((value,))
        encoded = self._encode_one(value)
        if encoded == _NULL[self.format]:
            raise self._written_as_null(value)
        return encoded

    def _decode_all(self, data: Sequence[bytes]) -> list[Any]:
        return list(map(self._decode_one, data))

    def _decode(self, data: bytes) -> Any:
        return self._decode_one(data)

    def _written_as_null(self, value: object) -> SerdeError:
        """The error about a NaN in JSON, an enum member of value None, or a None where every type is allowed."""
        hint = "It would be written as null, which cannot be read back."
        return mismatch(self._outer.name, repr(value), hint=hint)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.tp, self.format)
