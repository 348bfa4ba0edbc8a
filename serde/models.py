"""pydantic models, and containers of them, as JSON or MessagePack.

This module is imported only when a declared type holds a model: importing pydantic costs more than all of serde.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import msgspec
from pydantic import TypeAdapter

from serde.typed import TypedSerde


@dataclass(frozen=True)
class PydanticSerde(TypedSerde):
    """Values of a type that pydantic describes, validated as its models say, when written and when read.

    Aliases are the names on the wire. What cannot be read back is left out: computed fields.
    """

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(cast(Any, self.tp))

    def _build_encoder(self) -> Callable[[Any], bytes]:
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
