"""What the bytes of a serde look like, as data that can be kept; whether values of one shape can be read as another.

A shape says the format, and for typed values their JSON schema. It answers at the start what would otherwise fail at
the first old value that is read.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import msgspec

from serde.base import Serde
from serde.typed import TypedSerde
from serde.windowed import WindowedSerde

Shape = dict[str, Any]


def shape_of(serde: Serde[Any]) -> Shape:
    """The shape of what a serde writes; plain data, for JSON."""
    if isinstance(serde, WindowedSerde):
        return {"format": "windowed", "inner": shape_of(serde.inner)}
    if isinstance(serde, TypedSerde) and serde.format == "avro":
        from serde.avro_schema import schema_of

        # Reason: the bytes have no names, so whatever differs cannot be read.
        return {"format": f"avro {msgspec.json.encode(schema_of(serde.tp)).decode()}"}
    if isinstance(serde, TypedSerde):
        return {"format": serde.format, "schema": _schema(serde)}
    return {"format": serde.name}


def _schema(serde: TypedSerde) -> Shape:
    if type(serde).__name__ == "PydanticSerde":
        from pydantic import TypeAdapter

        schema: Shape = TypeAdapter(cast(Any, serde.tp)).json_schema()
        return schema
    try:
        return msgspec.json.schema(serde.tp)
    except TypeError:  # a type that has no schema but can be written
        return {}


def difference(new: Shape, old: Shape) -> str | None:
    """Why values written as `old` cannot be read as `new`, in words; None: they can, as far as can be told."""
    if new["format"] != old["format"]:
        return f"it was {old['format']} and is {new['format']}"
    if "inner" in new:
        return difference(new["inner"], old["inner"])
    if "schema" not in new:
        return None
    return next(_differences(_Node(new["schema"]), _Node(old["schema"]), "$"), None)


class _Node:
    """A part of a JSON schema, with the definitions that its references mean."""

    def __init__(self, schema: Mapping[str, Any], definitions: Mapping[str, Any] | None = None) -> None:
        self.definitions = definitions if definitions is not None else schema.get("$defs", {})
        while "$ref" in schema:
            schema = self.definitions[schema["$ref"].rpartition("/")[2]]
        self.schema = schema

    def part(self, schema: Mapping[str, Any]) -> "_Node":
        return _Node(schema, self.definitions)

    @property
    def alternatives(self) -> "list[_Node]":
        return [self.part(one) for one in self.schema.get("anyOf", [self.schema])]

    @property
    def properties(self) -> "dict[str, _Node]":
        return {name: self.part(one) for name, one in self.schema.get("properties", {}).items()}


def _differences(new: _Node, old: _Node, path: str) -> Iterator[str]:
    if not new.schema or not old.schema or (new.schema == old.schema and new.definitions == old.definitions):
        return
    if "anyOf" in new.schema or "anyOf" in old.schema:
        for had in old.alternatives:
            if all(next(_differences(may, had, path), None) is not None for may in new.alternatives):
                yield f"{path} could be {_named(had)}, which it cannot be now"
        return
    was, now = old.schema.get("type"), new.schema.get("type")
    if was != now and (was, now) != ("integer", "number"):
        yield f"{path} was {_named(old)} and is {_named(new)}"
        return
    if "enum" in new.schema and not set(map(str, old.schema.get("enum", []))) <= set(map(str, new.schema["enum"])):
        yield f"{path} lost some of the values it could have"
    yield from _differences_inside(new, old, path)


def _differences_inside(new: _Node, old: _Node, path: str) -> Iterator[str]:
    had, always_had = old.properties, set(old.schema.get("required", []))
    for name, part in new.properties.items():
        if name in had:
            yield from _differences(part, had[name], f"{path}.{name}")
        if name in new.schema.get("required", []) and name not in always_had:
            yield f"{path}.{name} is required, and old values do not have it: give it a default"
    for inner in ("items", "additionalProperties"):
        if isinstance(new.schema.get(inner), dict) and isinstance(old.schema.get(inner), dict):
            yield from _differences(new.part(new.schema[inner]), old.part(old.schema[inner]), f"{path}[]")


def _named(node: _Node) -> str:
    return str(node.schema.get("title") or node.schema.get("type") or "one of several values")
