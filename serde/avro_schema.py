"""From a type to its Avro schema, as plain data for JSON."""

import re
from typing import Any

from msgspec import inspect

from serde.naming import type_name

Schema = str | list[Any] | dict[str, Any]
Record = inspect.StructType | inspect.DataclassType

_PRIMITIVES: dict[type, str] = {
    inspect.StrType: "string",
    inspect.BytesType: "bytes",
    inspect.IntType: "long",
    inspect.FloatType: "double",
    inspect.BoolType: "boolean",
}


def schema_of(tp: object) -> Schema:
    """The schema of a type.

    Raises:
        TypeError: Avro has no form for it, or none that is known here.
    """
    return _schema(inspect.type_info(tp), {})


def _schema(node: inspect.Type, records: dict[str, object]) -> Schema:
    if primitive := _PRIMITIVES.get(type(node)):
        return primitive
    if isinstance(node, inspect.ListType):
        return {"type": "array", "items": _schema(node.item_type, records)}
    if isinstance(node, inspect.DictType) and isinstance(node.key_type, inspect.StrType):
        return {"type": "map", "values": _schema(node.value_type, records)}
    if (present := optional_part(node)) is not None:
        return ["null", _schema(present, records)]
    if isinstance(node, Record):
        return _record(node, records)
    named = type_name(getattr(node, "cls", None) or type(node).__name__.removesuffix("Type").lower())
    raise TypeError(
        f"Avro has no form here for {named}; known are str, bytes, int, float, bool, dataclasses and msgspec structs, "
        "lists and dicts with text keys of them, and each of them or None"
    )


def optional_part(node: inspect.Type) -> inspect.Type | None:
    """X of `X | None`; None for everything else."""
    if isinstance(node, inspect.UnionType) and len(node.types) == 2:
        present = [one for one in node.types if not isinstance(one, inspect.NoneType)]
        return present[0] if len(present) == 1 else None
    return None


def _record(node: Record, records: dict[str, object]) -> Schema:
    name = re.sub(r"\W", "_", type_name(node.cls))
    if name in records:
        if records[name] is not node:
            raise TypeError(f"two records of it are called {name}, and Avro tells records apart by their names")
        return name
    records[name] = node
    if not node.fields:
        raise TypeError(f"the record {name} has no fields")
    fields = [{"name": field.encode_name, "type": _schema(field.type, records)} for field in node.fields]
    return {"type": "record", "name": name, "fields": fields}
