"""The types that a type is made of, and whether it makes a reader choose between classes."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints, is_typeddict

_PYDANTIC_MARKS = ("__pydantic_core_schema__", "__get_pydantic_core_schema__")


def parts_in(tp: object) -> Iterator[object]:
    """A type, its arguments, the fields of its classes, and theirs; each once."""
    waiting: list[object] = [tp]
    seen: dict[int, object] = {}  # keeps the parts alive, so that no two have the same id
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        yield part
        waiting.extend(get_args(part))
        cls = get_origin(part) or part
        if isinstance(cls, type):
            waiting.extend(_annotations_of(cls))


def is_model(cls: object) -> bool:
    """Whether pydantic describes a class."""
    return isinstance(cls, type) and any(hasattr(cls, mark) for mark in _PYDANTIC_MARKS)


def chooses_between_classes(tp: object) -> bool:
    """Whether a union somewhere in a type has several classes that are written as objects without their names."""
    return any(
        get_origin(part) in (Union, UnionType) and sum(map(_is_object, get_args(part))) > 1 for part in parts_in(tp)
    )


def _is_object(tp: object) -> bool:
    cls = get_origin(tp) or tp
    return isinstance(cls, type) and (is_dataclass(cls) or is_typeddict(cls) or is_model(cls))


def _annotations_of(cls: type) -> list[object]:
    try:
        return list(get_type_hints(cls).values())
    except Exception:  # what cannot be resolved is reported by the library that is to handle the type
        return []
