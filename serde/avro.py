r"""Typed values as plain Avro: the binary encoding alone, without a file's header and without a registry's prefix.

The bytes do not say what they are; both sides must have the same schema, which follows from the declared type:

| type | Avro |
|---|---|
| `str bytes int float bool` | string, bytes, long, double, boolean |
| `X \| None` | union of null and X, null first |
| `list[X]`, `dict[str, X]` | array, map |
| dataclass, msgspec Struct | record of its class's name, fields in their order |
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from serde.avro_codec import decoder_of, encoder_of
from serde.avro_schema import Schema, schema_of
from serde.errors import mismatch
from serde.typed import TypedSerde


@dataclass(frozen=True)
class AvroSerde(TypedSerde):
    """Values of a type that Avro can carry; `format` is "avro"."""

    @cached_property
    def schema(self) -> Schema:
        """The schema, as the Avro specification writes it. Raises TypeError for a type that has none."""
        return schema_of(self.tp)

    def _build_encoder(self) -> Any:
        _ = self.schema  # refuses what the codec does not know
        return encoder_of(self.tp)

    def _build_decoder(self) -> Any:
        return decoder_of(self.tp)

    def _encode_all(self, values: Sequence[Any]) -> list[bytes]:
        if not self._outer.admits_all(values):
            raise self._outer.mismatch(values)
        try:
            return list(map(self._encode_one, values))
        except (TypeError, AttributeError, KeyError, struct.error):
            # Reason: the codec stumbles over a wrong value without knowing its place; this finds and tells it.
            msgspec.convert(msgspec.to_builtins(list(values), builtin_types=(bytes,)), list[self.tp])  # type: ignore[name-defined]  # known at run time
            raise

    def _encode(self, value: Any) -> bytes:
        try:
            return self._encode_all((value,))[0]
        except msgspec.ValidationError as error:
            # Reason: the place is told within the list of one.
            raise msgspec.ValidationError(str(error).replace("$[0]", "$", 1)) from None

    def _decode_all(self, data: Sequence[bytes]) -> list[Any]:
        try:
            return list(map(self._decode_one, data))
        except (IndexError, struct.error):
            raise mismatch(self.name, "malformed data (it ends too early)") from None

    def _decode(self, data: bytes) -> Any:
        return self._decode_all((data,))[0]
