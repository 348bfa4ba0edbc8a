"""Typed values as JSON or MessagePack, through msgspec: dataclasses, structs, typed dicts, enums, containers, Any."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from serde.typed import TypedSerde


@dataclass(frozen=True)
class MsgspecSerde(TypedSerde):
    """Values of a type that msgspec knows; types are checked while reading, at no extra cost."""

    def _build_encoder(self) -> Callable[[Any], bytes]:
        return msgspec.json.Encoder().encode if self.format == "json" else msgspec.msgpack.Encoder().encode

    def _build_decoder(self) -> Callable[[bytes], Any]:
        if self.format == "json":
            return msgspec.json.Decoder(self.tp).decode
        return msgspec.msgpack.Decoder(self.tp).decode


def unsupported_in(tp: object) -> Iterator[object]:
    """The parts of `tp` that msgspec would write and read without knowing them.

    Raises:
        TypeError: msgspec refuses the type as a whole and says why, as for a union of two untagged structs.
        NameError: an annotation inside cannot be resolved.
    """
    # Walked without recursion: a struct may contain itself, and its description then contains itself, too.
    waiting: list[object] = [inspect.type_info(tp)]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(node)
        elif isinstance(node, (inspect.Type, inspect.Field)) and id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, inspect.CustomType) and node.cls is not object:
                yield node.cls
            waiting.extend(getattr(node, name) for name in node.__struct_fields__)
