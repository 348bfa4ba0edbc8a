"""`@app.handler`: one function called with each value of a topic."""

import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from typing import Any, get_origin

from framework.dsl.annotations import element_of, without_none
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.sinks import add_sink
from framework.dsl.topics import Topic
from framework.plan.nodes import SourceNode, StepNode
from framework.plan.types import TypeRef


def declare_handler(scope: Scope, function: Callable[..., Any], source: SourceNode, to: Topic[Any, Any] | None) -> None:
    """Add the step that calls the function, and its sink.

    Raises:
        DeclarationError: the function's types do not fit its topics, or it is async (which is not supported yet).
    """
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise scope.error(f"the handler {function.__name__} is async: only plain functions and generators can handle.")
    returns = scope.check_function("handler", function, ("values", source.value)).returns
    several = inspect.isgeneratorfunction(function) or get_origin(returns) in (Iterator, Generator, AsyncGenerator)
    node = StepNode(
        name=scope.name("handle", None),
        verb="flat_map" if several else "handle",
        origin=user_line(),
        parents=(source,),
        key=source.key,
        value=TypeRef(element_of(returns) if several else without_none(returns)),
        function=function,
    )
    scope.add(node)
    if to is not None:
        add_sink(scope, node, to)
