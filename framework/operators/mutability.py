"""Which types of state a user's function cannot change in place."""

import dataclasses
import datetime
import enum
import types
import typing
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from framework.plan.topics import serde_for
from framework.plan.types import UNKNOWN

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


def copier(known: object) -> Callable[[Any], Any] | None:
    """Copies values of this type, whose store's serde it is; None if they cannot change in place."""
    if known is not UNKNOWN and is_immutable(known):
        return None
    serde = serde_for(known)
    return lambda value: serde.deserialize(serde.serialize(value))
