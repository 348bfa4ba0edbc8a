"""What annotations say: types of functions, whether one type fits where another is wanted, and types in words.

Declaration checks use this before anything runs. A check must not refuse what would work, so whatever cannot be told
from the annotations is `UNKNOWN`, and UNKNOWN fits everywhere.
"""

import collections.abc
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import GenericAlias, MethodType, NoneType, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Never,
    NewType,
    NoReturn,
    Self,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from framework.plan.types import UNKNOWN, Unknown
from serde import type_name

__all__ = [
    "UNKNOWN",
    "ArityMismatch",
    "FunctionTypes",
    "Unknown",
    "UnresolvedAnnotation",
    "element_of",
    "is_assignable",
    "is_plain",
    "pair_of",
    "signature_of",
    "type_name",
    "without_none",
]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_EMPTY = inspect.Parameter.empty
_CONVERTERS = (str, int, float, bool, bytes)  # the other builtin classes are containers of nobody knows what
_CONTAINER_MODULES = ("builtins", "collections", "collections.abc")


@dataclass(frozen=True)
class FunctionTypes:
    """What a function takes and returns; `parameters` are as many as it is called with."""

    parameters: tuple[object, ...]
    returns: object


class ArityMismatch(TypeError):  # the name says what happened
    """A function that cannot be called with so many arguments.

    Attributes:
        wanted: how many positional arguments it would be given.
        got: what it takes, in words: "2 positional arguments".
    """

    def __init__(self, wanted: int, got: str) -> None:
        super().__init__(wanted, got)
        self.wanted, self.got = wanted, got

    def __str__(self) -> str:
        return f"it takes {self.got}, not {self.wanted}"


class UnresolvedAnnotation(TypeError):  # as above
    """An annotation that names something which does not exist, or not where the function was written."""


# Functions


def signature_of(fn: Callable[..., Any], arity: int, *, strict: bool = False) -> FunctionTypes:
    """The types that a callable takes, given `arity` positional arguments, and returns.

    What nobody stated is UNKNOWN, among it everything about a lambda. The first parameter of a method taken from its
    class (`Stats.add`) is that class; a class returns itself.

    Args:
        fn: a function, method, class, `functools.partial` or object with `__call__`.
        arity: how many positional arguments it will be called with.
        strict: whether an annotation that cannot be resolved is an error instead of UNKNOWN.

    Raises:
        ArityMismatch: it cannot be called with so many.
        UnresolvedAnnotation: only if strict.
    """
    names = _parameter_names(fn, arity)
    types = _types_by_name(fn, strict)
    return FunctionTypes(tuple(types.get(name, UNKNOWN) for name in names), types.get("return", UNKNOWN))


def _parameter_names(fn: Callable[..., Any], arity: int) -> list[str]:
    """The parameters that receive the arguments; "" for those of builtins that do not tell."""
    try:
        signature = inspect.signature(fn)
    except ValueError:
        return [""] * arity
    try:
        signature.bind(*(None,) * arity)
    except TypeError:
        raise ArityMismatch(arity, _arity_in_words(signature)) from None
    parameters = signature.parameters.values()
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")
    names = [p.name for p in parameters if p.kind in _POSITIONAL][:arity]
    return names + [rest] * (arity - len(names))


def _arity_in_words(signature: inspect.Signature) -> str:
    parameters = signature.parameters.values()
    positional = [p for p in parameters if p.kind in _POSITIONAL]
    required = sum(p.default is _EMPTY for p in positional)
    keywords = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is _EMPTY]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        count = f"at least {required}"
    else:
        count = str(required) if required == len(positional) else f"{required} to {len(positional)}"
    words = f"{count} positional argument{'s' * (count != '1')}"
    return words + (f" and the keyword argument {', '.join(keywords)}" if keywords else "")


def _types_by_name(fn: Callable[..., Any], strict: bool) -> dict[str, object]:
    """Types by the name of the parameter, and of "return"."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    cls = get_origin(fn) or fn
    if isinstance(cls, type):
        return _types_of_class(cls, strict) | {"return": _returned_by_class(fn, cls)}
    function, owner = _function_behind(fn)
    types = _hints(function, strict)
    if owner is not None:
        types = {name: owner if tp is Self else tp for name, tp in types.items()}
        if not isinstance(fn, MethodType) and (first := _first_parameter(function)):
            types.setdefault(first, owner)
    # A type variable stands for whatever comes in, and a Self without its class for nobody knows what.
    return {name: UNKNOWN if isinstance(tp, TypeVar) or tp is Self else tp for name, tp in types.items()}


def _types_of_class(cls: type, strict: bool) -> dict[str, object]:
    if cls.__module__ == "builtins":
        return {}
    fields = _hints(cls, strict)  # of dataclasses, structs and named tuples, whose __init__ is generated
    init = cast(Any, cls).__init__
    return fields | (_hints(init, strict) if inspect.isfunction(init) else {})


def _returned_by_class(fn: object, cls: type) -> object:
    return fn if cls in _CONVERTERS or cls.__module__ != "builtins" else UNKNOWN


def _function_behind(fn: Callable[..., Any]) -> tuple[Any, type | None]:
    """The function that carries the annotations, and the class it belongs to, where that can be known."""
    if isinstance(fn, MethodType):
        bound_to = fn.__self__
        return inspect.unwrap(fn.__func__), bound_to if isinstance(bound_to, type) else type(bound_to)
    function = inspect.unwrap(fn)
    if inspect.isfunction(function):
        return function, _class_of(function)
    if inspect.ismethoddescriptor(function):  # of a class written in C: str.lower
        return function, getattr(function, "__objclass__", None)
    return _function_of_object(function)


def _function_of_object(fn: object) -> tuple[Any, type | None]:
    call = getattr(type(fn), "__call__", None)  # noqa: B004  # the function itself is wanted, not whether there is one
    return (inspect.unwrap(call), type(fn)) if inspect.isfunction(call) else (None, None)


def _class_of(function: Any) -> type | None:
    """The class in whose body a function was written; None for a static method, which has no self."""
    *path, name = function.__qualname__.split(".")
    found: Any = SimpleNamespace(**{path[0]: function.__globals__.get(path[0])}) if path else None
    for step in path:
        found = getattr(found, step, None)
    return found if isinstance(found, type) and vars(found).get(name) is function else None


def _first_parameter(function: Any) -> str | None:
    try:
        return next(iter(inspect.signature(function).parameters), None)
    except ValueError:
        return None


def _hints(owner: Any, strict: bool) -> dict[str, object]:
    """Annotations with their names resolved; those that cannot be are left out, or an error if strict."""
    try:
        return get_type_hints(owner) if hasattr(owner, "__annotations__") else {}
    except Exception as error:  # an annotation is evaluated as code and may raise anything
        if strict:
            raise UnresolvedAnnotation(f"an annotation of {type_name(owner)} cannot be resolved: {error}") from error
    namespace = getattr(owner, "__globals__", {})
    resolved: dict[str, object] = {}
    for name, annotation in owner.__annotations__.items():
        try:
            alone = SimpleNamespace(__annotations__={name: annotation})
            resolved |= get_type_hints(cast(Any, alone), namespace)
        except Exception:  # as above; this one is UNKNOWN, its neighbours need not be
            continue
    return resolved


# Fitting


def is_assignable(given: object, wanted: object) -> bool:
    """Whether values of type `given` may go where `wanted` is declared, as far as can be told.

    As in Python's type system, containers being covariant, with one exception: a bool is no int, because serdes refuse
    to write it as one.
    """
    given, wanted = _plain(given), _plain(wanted)
    if given == wanted or _fits_all(given) or _fits_all(wanted) or wanted is object or given in (Never, NoReturn):
        return True
    if _is_union(given):
        return all(is_assignable(member, wanted) for member in get_args(given))
    if _is_union(wanted):
        return any(is_assignable(given, member) for member in get_args(wanted))
    if get_origin(given) is Literal:
        return _literal_fits(get_args(given), wanted)
    if isinstance(given, NewType):
        return is_assignable(given.__supertype__, wanted)
    if isinstance(wanted, NewType) or get_origin(wanted) is Literal or is_typeddict(given) or is_typeddict(wanted):
        return False  # only the same one would do, or a member of it
    return _class_fits(given, wanted)


def _plain(tp: object) -> object:
    """Without what `Annotated` adds, without the name of an alias, None as its class."""
    if get_origin(tp) is Annotated:
        return _plain(get_args(tp)[0])
    if type(tp).__name__ == "TypeAliasType":  # from typing since Python 3.12, from typing_extensions before
        return _plain(cast(Any, tp).__value__)
    return NoneType if tp is None else tp


def _fits_all(tp: object) -> bool:
    return tp is UNKNOWN or tp is Any or isinstance(tp, TypeVar)


def _is_union(tp: object) -> bool:
    return get_origin(tp) in (Union, UnionType)


def _literal_fits(values: tuple[object, ...], wanted: object) -> bool:
    if get_origin(wanted) is Literal:
        allowed = {(type(value), value) for value in get_args(wanted)}  # True == 1, but Literal[True] is not Literal[1]
        return all((type(value), value) in allowed for value in values)
    return all(is_assignable(type(value), wanted) for value in values)


def _class_fits(given: object, wanted: object) -> bool:
    given_class, wanted_class = get_origin(given) or given, get_origin(wanted) or wanted
    if not isinstance(given_class, type) or not isinstance(wanted_class, type):
        return True  # neither a class nor anything known here: nothing can be told
    if given_class is bool and wanted_class in (int, float):
        return False
    if given_class is int and wanted_class is float:
        return True
    try:
        related = issubclass(given_class, wanted_class)
    except TypeError:
        return True  # a protocol that cannot be checked at run time
    return related and _arguments_fit(given, given_class, wanted, wanted_class)


def _arguments_fit(given: object, given_class: type, wanted: object, wanted_class: type) -> bool:
    """Covariantly; a class without arguments has unknown ones."""
    have, need = get_args(given), get_args(wanted)
    if not need:
        return True
    if given_class is tuple and wanted_class is tuple:
        return _tuple_fits(have, need)
    if given_class is not wanted_class and not issubclass(wanted_class, Mapping):
        element = element_of(given)
        return len(need) != 1 or is_assignable(element, need[0])
    return len(have) != len(need) or all(map(is_assignable, have, need))


def _tuple_fits(have: tuple[object, ...], need: tuple[object, ...]) -> bool:
    if not have:
        return True  # a tuple that says nothing of its elements
    if need[-1] is ...:
        return all(is_assignable(element, need[0]) for element in have if element is not ...)
    return have[-1] is not ... and len(have) == len(need) and all(map(is_assignable, have, need))


# Parts


def element_of(tp: object) -> object:
    """The type that iterating over `tp` gives: of a dict its keys, of a str again str; UNKNOWN where not stated."""
    tp = _plain(without_none(tp))
    if tp is str:
        return str
    origin, args = get_origin(tp), get_args(tp)
    if origin is tuple:
        return args[0] if len({arg for arg in args if arg is not ...}) == 1 else UNKNOWN
    if origin is collections.abc.ItemsView:
        return GenericAlias(tuple, args)
    if args and isinstance(origin, type) and origin.__module__ in _CONTAINER_MODULES and _is_iterable(origin):
        return args[0]
    return UNKNOWN


def _is_iterable(cls: type) -> bool:
    return issubclass(cls, collections.abc.Iterable | collections.abc.AsyncIterable)


def pair_of(tp: object) -> tuple[object, object]:
    """The types in tuple[A, B]; UNKNOWN twice for anything else."""
    tp = _plain(without_none(tp))
    args = get_args(tp)
    if get_origin(tp) is not tuple or len(args) != 2 or args[1] is ...:
        return UNKNOWN, UNKNOWN
    return args[0], args[1]


def is_plain(tp: object) -> bool:
    """Whether a type is a class, maybe with arguments; no union, no Any, nothing unknown."""
    return isinstance(get_origin(tp) or tp, type) and tp is not object and not _is_union(tp) and tp is not UNKNOWN


def without_none(tp: object) -> object:
    """`X | None` as X; what is no union stays as it is."""
    if not _is_union(tp):
        return tp
    present = tuple(arg for arg in get_args(tp) if arg is not NoneType)
    return present[0] if len(present) == 1 else Union[present]  # noqa: UP007  # a tuple of members
