"""From a type to its serde."""

import sys
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, NewType, Union, cast, get_args, get_origin
from uuid import UUID

from serde.base import Serde
from serde.errors import SerdeError
from serde.naming import type_name
from serde.parts_of_types import chooses_between_classes, is_model, parts_in
from serde.primitives import BoolSerde, BytesSerde, FloatSerde, IntSerde, StrSerde
from serde.typed import Format, TypedSerde
from serde.windowed import Windowed, WindowedSerde

_PRIMITIVES: dict[object, Serde[Any]] = {
    bytes: BytesSerde(),
    str: StrSerde(),
    int: IntSerde(),
    float: FloatSerde(),
    bool: BoolSerde(),
}
_FORMATS = ("json", "msgpack", "avro")
_SUPPORTED = (
    "Supported are str, bytes, int, float, bool, UUID, datetime, dataclasses, msgspec structs, pydantic models, "
    "TypedDict, NamedTuple, Enum, and list, dict, set, tuple, Optional and Union of them; Any is untyped JSON"
)


def for_type(tp: object, format: str | None = None) -> Serde[Any]:  # the word users know it by
    """The serde of a declared type.

    Args:
        tp: a type as written in an annotation. `X | None` is X, as None is always None; `Any` is untyped JSON.
            A NewType is what it stands for. What `Annotated` adds is checked where the value is JSON.
        format: "json", "msgpack" or "avro"; by default `str bytes int float bool UUID datetime` have a format of their
            own (see `serde.primitives` and `serde.texts`) and everything else is JSON.

    Raises:
        SerdeError: no format carries this type, or there is no such format.
    """
    if format not in (None, *_FORMATS):
        raise SerdeError(f'there is no format "{format}". Known are {", ".join(_FORMATS)}', expected="a known format")
    plain = _without_none(tp)
    if (get_origin(plain) or plain) is Windowed:
        return WindowedSerde(for_type(*(get_args(plain) or (Any,))))
    if format is None and (primitive := _primitive(plain)):
        return primitive
    return _typed(plain, cast(Format, format or "json"))


def _without_none(tp: object) -> object:
    """`X | None` as X, at the top and through the names that stand for a type."""
    if isinstance(tp, NewType):
        return _without_none(tp.__supertype__)
    if type(tp).__name__ == "TypeAliasType":  # from typing since Python 3.12, from typing_extensions before
        return _without_none(cast(Any, tp).__value__)
    if get_origin(tp) in (Union, UnionType):
        present = [arg for arg in get_args(tp) if arg is not NoneType]
        return _without_none(present[0]) if len(present) == 1 else Union[tuple(present)]  # noqa: UP007  # a tuple
    return Any if tp is object else tp


def _primitive(tp: object) -> Serde[Any] | None:
    if get_origin(tp) is Annotated:
        tp = _without_none(get_args(tp)[0])
    if not isinstance(tp, type):
        return None
    if tp in (UUID, datetime):
        from serde.texts import DatetimeSerde, UuidSerde

        return UuidSerde() if tp is UUID else DatetimeSerde()
    return _PRIMITIVES.get(tp)


def _typed(tp: object, format: Format) -> TypedSerde:  # as in for_type
    if tp in (None, NoneType):
        raise _refused(tp, "None is written as null in every format and needs no serde")
    if isinstance(tp, str):
        raise _refused(tp, "it is the name of a type and not the type; write it without quotes")
    try:
        serde = _codec(tp, format)
        serde.prepare()  # a type that cannot be handled fails here, at declaration
    except SerdeError:
        raise
    except Exception as error:  # each library has its own way to say no, a broken annotation another
        raise _refused(tp, str(error).strip().partition("\n")[0]) from error
    return serde


def _codec(tp: object, format: Format) -> TypedSerde:  # as in for_type
    if format == "avro":
        from serde.avro import AvroSerde

        return AvroSerde(tp, format)
    return _pydantic(tp, format) if _needs_pydantic(tp) else _msgspec(tp, format)


def _msgspec(tp: object, format: Format) -> TypedSerde:  # as in for_type
    from serde.structs import MsgspecSerde, unsupported_in

    for part in unsupported_in(tp):
        raise _refused(tp, "it is no such type" if part is tp else f"{type_name(part)} in it is no such type")
    return MsgspecSerde(tp, format)


def _pydantic(tp: object, format: Format) -> TypedSerde:  # as in for_type
    from serde.models import PydanticSerde

    return PydanticSerde(tp, format)


def _needs_pydantic(tp: object) -> bool:
    """Whether pydantic must handle `tp`; nothing is a model as long as nobody has imported pydantic."""
    has_models = "pydantic" in sys.modules and any(is_model(get_origin(part) or part) for part in parts_in(tp))
    return has_models or chooses_between_classes(tp)


def _refused(tp: object, reason: str) -> SerdeError:
    name = type_name(tp)
    return SerdeError(f"cannot carry values of type {name}: {reason}. {_SUPPORTED}", expected="a supported type")
