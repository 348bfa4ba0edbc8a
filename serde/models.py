"""pydantic models, and containers of them, as JSON or MessagePack.

This module is imported only when a declared type holds a model: importing pydantic costs more than all of serde.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import msgspec
from pydantic import TypeAdapter

from serde.errors import mismatch
from serde.naming import type_name
from serde.parts_of_types import chooses_between_classes
from serde.typed import TypedSerde


@dataclass(frozen=True)
class PydanticSerde(TypedSerde):
    """Values of a type that pydantic describes, validated as its models say, when written and when read.

    Where a union has several classes, the one that fits best is read; a value that would be read as another class is
    refused while writing. Aliases are the names on the wire. What cannot be read back is left out: computed fields.
    """

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(cast(Any, self.tp))

    def _build_encoder(self) -> Callable[[Any], bytes]:
        encode = self._build_plain_encoder()
        if not chooses_between_classes(self.tp):
            return encode

        def encode_and_look(value: Any) -> bytes:
            encoded = encode(value)
            read = self._decode_one(encoded)
            # Reason: a dataclass may compare by identity; what it prints names its classes and fields.
            if read != value and repr(read) != repr(value):
                raise mismatch(
                    f"a value that can be told from the others of {type_name(self.tp)}",
                    f"{value!r}, which would be read as {read!r}",
                    hint="Give the classes a field that differs, such as kind: Literal[...].",
                )
            return encoded

        return encode_and_look

    def _build_plain_encoder(self) -> Callable[[Any], bytes]:
        # round_trip leaves out computed fields, which a model that forbids extra fields would not read back;
        # warnings are errors because pydantic writes fields of a wrong type and only warns.
        if self.format == "json":
            to_json = self._adapter.serializer.to_json
            return lambda value: to_json(value, by_alias=True, round_trip=True, warnings="error")
        to_python, pack = self._adapter.serializer.to_python, msgspec.msgpack.Encoder().encode
        return lambda value: pack(to_python(value, mode="json", by_alias=True, round_trip=True, warnings="error"))

    def _build_decoder(self) -> Callable[[bytes], Any]:
        validate = self._adapter.validator.validate_json
        if self.format == "json":
            return validate
        # By way of JSON, since validation of Python values would refuse texts for datetimes in strict models.
        unpack, to_json = msgspec.msgpack.Decoder().decode, msgspec.json.Encoder().encode
        return lambda data: validate(to_json(unpack(data)))
