"""Types as people write them: "int", "Order", "list[int]", "str | None"."""

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin


def type_name(tp: object) -> str:
    """The short name of a type, without its modules, for messages and for names of serdes."""
    origin, args = get_origin(tp), get_args(tp)
    if tp is None or tp is NoneType:
        return "None"
    if tp is Any:
        return "Any"
    if tp is ...:
        return "..."
    if isinstance(tp, str):
        return tp
    if isinstance(tp, list):  # the parameters in Callable[[int, str], bool]
        return f"[{', '.join(map(type_name, tp))}]"
    if origin is Annotated:
        return type_name(args[0])
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, args))}]"
    if origin in (Union, UnionType):
        return " | ".join(map(type_name, sorted(args, key=lambda arg: arg is NoneType)))
    if args:
        return f"{type_name(origin)}[{', '.join(map(type_name, args))}]"
    return str(getattr(tp, "__name__", None) or repr(tp))
