"""Which types of state a user's function cannot change in place."""

import dataclasses
import datetime
import enum
import types
import typing
import uuid

import msgspec

_SCALARS = (int, float, str, bytes, bool, uuid.UUID, datetime.datetime, type(None))


def is_immutable(known: object) -> bool:
    """True if values of this type cannot change in place; a frozen class is taken at its word."""
    origin = typing.get_origin(known)
    if origin in (typing.Union, types.UnionType):
        return all(is_immutable(member) for member in typing.get_args(known))
    if origin is tuple:
        return all(member is Ellipsis or is_immutable(member) for member in typing.get_args(known))
    if not isinstance(known, type):
        return False
    if issubclass(known, _SCALARS) or issubclass(known, enum.Enum):
        return True
    if issubclass(known, msgspec.Struct):
        return known.__struct_config__.frozen
    return bool(dataclasses.is_dataclass(known) and known.__dataclass_params__.frozen)  # type: ignore[attr-defined]  # unknown to typeshed
