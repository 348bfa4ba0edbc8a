"""Which classes a value of a declared type may have, so that a wrong value is found before a codec writes it.

Codecs write whatever they are given: a text where an Order was declared becomes valid JSON, which the reader of the
topic then cannot read. Looking at the outermost class costs about 15 ns a value; fields are not looked into.

Records (dataclasses, structs, models, named tuples, enums) must be of exactly the declared class: a subclass would
come back as the declared one, without its own fields. Subclasses of builtins (a str enum as str, a defaultdict as
dict) are what they extend; only bool does not pass for int, as in the wire formats.
"""

import collections.abc
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, is_typeddict

from serde.errors import SerdeError, mismatch
from serde.naming import type_name

_TOLERANT = (str, int, float, bytes, list, dict, set, frozenset, tuple, datetime)
_STANDING_FOR: dict[object, frozenset[type]] = {
    float: frozenset({float, int}),
    collections.abc.Sequence: frozenset({list, tuple}),
    collections.abc.MutableSequence: frozenset({list}),
    collections.abc.Collection: frozenset({list, tuple, set, frozenset}),
    collections.abc.Set: frozenset({set, frozenset}),
    collections.abc.MutableSet: frozenset({set}),
    collections.abc.Mapping: frozenset({dict}),
    collections.abc.MutableMapping: frozenset({dict}),
}


@dataclass(frozen=True)
class OuterType:
    """The classes that values of one declared type may have; `exact` is None when every class may."""

    name: str
    exact: frozenset[type] | None
    tolerant: tuple[type, ...]
    usual: type  # the class that all values of a list have, nearly always

    def admits_all(self, values: Sequence[object]) -> bool:
        """Whether each value has a class that fits."""
        if self.exact is None:
            return True
        kinds = list(map(type, values))
        return kinds.count(self.usual) == len(kinds) or all(map(self.admits, set(kinds)))

    def mismatch(self, values: Sequence[object]) -> SerdeError:
        """The error about the first value that does not fit."""
        wrong = next(value for value in values if not self.admits(type(value)))
        return mismatch(self.name, type_name(type(wrong)))

    def admits(self, kind: type) -> bool:
        """Whether values of this class fit."""
        if self.exact is None or kind in self.exact:
            return True
        return kind is not bool and issubclass(kind, self.tolerant)


def outer_type(tp: object) -> OuterType:
    """The classes that values of `tp` may have; every class where that cannot be told."""
    exact = _classes(tp)
    tolerant = tuple(cls for cls in _TOLERANT if exact is not None and cls in exact)
    usual = min(exact or (), key=lambda cls: cls.__name__, default=NoneType)  # float before int, list before tuple
    return OuterType(type_name(tp), exact, tolerant, usual)


def _classes(tp: object) -> frozenset[type] | None:
    """None for "any class"."""
    origin, args = get_origin(tp), get_args(tp)
    if origin in (Union, UnionType):
        members = [_classes(arg) for arg in args]
        return None if None in members else frozenset().union(*(m for m in members if m is not None))
    if origin is Literal:
        return frozenset(map(type, args)) - {NoneType}
    if origin is Annotated:
        return _classes(args[0])
    if supertype := getattr(tp, "__supertype__", None):  # NewType
        return _classes(supertype)
    if is_typeddict(origin or tp):
        return frozenset({dict})
    cls = origin or tp
    if cls in (None, NoneType):
        return frozenset()
    if cls in (Any, object) or not isinstance(cls, type):
        return None
    return _STANDING_FOR.get(cls, frozenset({cls}))
