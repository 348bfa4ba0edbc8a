"""`@app.handler`: one function called with each value of a topic, or with many values at once."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from types import GenericAlias
from typing import Any, Literal, get_origin

from framework.dsl.annotations import ArityMismatch, element_of, is_assignable, signature_of, type_name, without_none
from framework.dsl.origin import user_line
from framework.dsl.processors import Context
from framework.dsl.scope import Scope
from framework.dsl.sinks import add_sink
from framework.dsl.timer_calls import timer_call
from framework.dsl.topics import Topic
from framework.plan.nodes import Node, SourceNode, StepNode
from framework.plan.processors import HandleNode
from framework.plan.types import TypeRef

_ITERATORS = (Iterator, Generator, AsyncIterator, AsyncGenerator)
Kind = Literal["one", "several", "batch"]


def declare_handler(
    scope: Scope,
    function: Callable[..., Any],
    source: SourceNode,
    to: Topic[Any, Any] | None,
    *,
    concurrency: int,
    batch: bool,
) -> None:
    """Add the step that calls the function, and its sink.

    Raises:
        DeclarationError: the function's types do not fit its topics, or the options do not fit the function.
    """
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    takes_context = not batch and _takes_context(function)
    _check_options(scope, function, concurrency=concurrency, batch=batch, is_async=is_async)
    kind, result = _check_batch(scope, function, source) if batch else _check_types(scope, function, source)
    name = scope.name("handle", None)
    shared: dict[str, Any] = {
        "name": name,
        "origin": user_line(),
        "parents": (source,),
        "key": source.key,
        "value": TypeRef(result),
        "function": function,
    }
    node: Node
    if is_async or takes_context or batch:
        node = HandleNode(
            verb="handle", kind=kind, is_async=is_async, takes_context=takes_context, concurrency=concurrency, **shared
        )
    else:
        node = StepNode(verb="flat_map" if kind == "several" else "handle", **shared)
    scope.add(node)
    if to is not None:
        add_sink(scope, node, to)


def _takes_context(function: Callable[..., Any]) -> bool:
    """True if the second parameter asks for the context."""
    try:
        wanted = signature_of(function, 2).parameters[1]
    except ArityMismatch:
        return False
    return (get_origin(wanted) or wanted) is Context


def _check_options(
    scope: Scope, function: Callable[..., Any], *, concurrency: int, batch: bool, is_async: bool
) -> None:
    called = getattr(function, "__name__", repr(function))
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise scope.error(f"handler() takes concurrency >= 1, got {concurrency!r}.")
    if concurrency > 1 and not is_async:
        raise scope.error(
            f"the handler {called} is no async function, so its calls cannot be under way at once: write async def, or "
            "leave out concurrency=."
        )
    if found := timer_call(function, 1):
        raise scope.error(
            f"the handler {called} sets a timer, but only a class has timers: see @app.processor and on_timer().", found
        )
    if concurrency > 1 and batch:
        raise scope.error(f"the handler {called} gets its values as one list: leave out concurrency= or batch=.")


def _check_types(scope: Scope, function: Callable[..., Any], source: SourceNode) -> tuple[Kind, object]:
    if _takes_context(function):
        returns = scope.check_function("handler", function, ("values", source.value), ("state", TypeRef())).returns
    else:
        returns = scope.check_function("handler", function, ("values", source.value)).returns
    is_generator = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)
    if is_generator or get_origin(returns) in _ITERATORS:
        return "several", element_of(returns)
    return "one", without_none(returns)


def _check_batch(scope: Scope, function: Callable[..., Any], source: SourceNode) -> tuple[Kind, object]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise scope.error(f"the handler {function.__name__} yields: with batch=True it returns a list.")
    types = scope.check_function("handler", function, ("state", TypeRef()))
    wanted = types.parameters[0]
    if not is_assignable(GenericAlias(list, (source.value.known,)), wanted):
        raise scope.error(
            f"handler() calls {function.__name__} with lists of the topic's values, which are "
            f"{type_name(source.value.known)}, but its parameter is {type_name(wanted)}: correct one of the two."
        )
    return "batch", without_none(element_of(types.returns))
