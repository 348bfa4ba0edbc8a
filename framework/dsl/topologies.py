"""`@app.topology`: reads the function's annotations, runs it once on streams and tables, checks what it returns."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, get_args, get_origin

from framework.dsl.annotations import type_name
from framework.dsl.global_tables import GlobalTable
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.sinks import add_sink
from framework.dsl.streams import Stream
from framework.dsl.tables import Table, table_of
from framework.dsl.topics import Topic
from framework.plan.nodes import Node, Origin, SourceNode
from framework.plan.tables import GlobalTableNode

Collection = Stream[Any, Any] | Table[Any, Any]
Sinks = Topic[Any, Any] | tuple[Topic[Any, Any], ...] | None


def declare_topology(
    scope: Scope,
    function: Callable[..., Any],
    sources: Sequence[Topic[Any, Any]],
    to: Sinks,
    *,
    read: Callable[[Topic[Any, Any]], SourceNode],
    read_globally: Callable[[Topic[Any, Any]], GlobalTableNode],
) -> None:
    """Add the function's nodes to the scope, from its sources to its sinks.

    `read` and `read_globally` give the node of a topic, which topologies share.

    Raises:
        DeclarationError: an annotation is missing or does not fit its topic; results and sinks do not fit.
    """
    where = _line_of(function)
    annotations = _annotations(scope, function, where)
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != len(sources):
        raise scope.error(
            f"{function.__name__} takes {len(parameters)} parameters ({', '.join(parameters)}), "
            f"but the topology has {len(sources)} sources ({', '.join(s.name for s in sources)}): "
            "name one source per parameter, in their order.",
            where,
        )
    inputs = [
        _read(scope, topic, parameter, annotations.get(parameter), where, read, read_globally)
        for topic, parameter in zip(sources, parameters, strict=True)
    ]
    returned = _built(scope, function, inputs)
    results = _results(scope, function, returned, where)
    _learn_returned(scope, results, annotations.get("return"), where)
    sinks = () if to is None else to if isinstance(to, tuple) else (to,)
    if len(results) != len(sinks):
        raise scope.error(
            f"{function.__name__} returns {len(results)} streams or tables, but the topology has {len(sinks)} sinks: "
            "give one topic in to= for each result, in their order.",
            where,
        )
    for result, sink in zip(results, sinks, strict=True):
        add_sink(scope, result.node, sink)


def _built(scope: Scope, function: Callable[..., Any], inputs: Sequence[Any]) -> Any:
    from framework.dsl.misuse import in_words

    try:
        return function(*inputs)
    except (AttributeError, TypeError) as error:
        if (found := in_words(error)) is None:
            raise
        raise scope.error(*found) from error


def _line_of(function: Callable[..., Any]) -> Origin:
    code = getattr(function, "__code__", None)
    return Origin(code.co_filename, code.co_firstlineno) if code is not None else user_line()


def _annotations(scope: Scope, function: Callable[..., Any], where: Origin) -> dict[str, Any]:
    try:
        return inspect.get_annotations(function, eval_str=True)
    except NameError as error:
        raise scope.error(f"an annotation of {function.__name__} cannot be resolved: {error}.", where) from error


def _read(
    scope: Scope,
    topic: Topic[Any, Any],
    parameter: str,
    annotation: Any,
    where: Origin,
    read: Callable[[Topic[Any, Any]], SourceNode],
    read_globally: Callable[[Topic[Any, Any]], GlobalTableNode],
) -> Collection | GlobalTable[Any, Any]:
    """The stream or the table that a parameter asks for."""
    kind, arguments = get_origin(annotation) or annotation, get_args(annotation)
    if kind not in (Stream, Table, GlobalTable):
        spec = topic.spec
        raise scope.error(
            f'the parameter "{parameter}" must say how the topic "{topic.name}" is read: annotate it as '
            f"Stream[{type_name(spec.key_type)}, {type_name(spec.value_type)}], Table[…] or GlobalTable[…]"
            + (f", not {type_name(annotation)}." if annotation is not None else "."),
            where,
        )
    source = read_globally(topic) if kind is GlobalTable else read(topic)
    if arguments:
        _check_types(scope, source, arguments, f'the parameter "{parameter}" ({type_name(annotation)})', where)
    if isinstance(source, GlobalTableNode):
        return GlobalTable(scope, source)
    stream: Stream[Any, Any] = Stream(scope, source)
    if kind is Stream:
        return stream
    return table_of(stream, topic.history, "latest", f"{scope.topology}.{parameter}")


def _check_types(scope: Scope, node: Node, arguments: Sequence[Any], what: str, where: Origin) -> None:
    for role, have, wanted in zip(("keys", "values"), (node.key, node.value), arguments, strict=True):
        scope.check_edge(role, have, wanted, what, where)


def _results(scope: Scope, function: Callable[..., Any], returned: object, where: Origin) -> tuple[Collection, ...]:
    results = returned if isinstance(returned, tuple) else () if returned is None else (returned,)
    for result in results:
        if not isinstance(result, Stream | Table):
            raise scope.error(
                f"{function.__name__} returns {type(result).__name__}: return streams or tables"
                + (", such as grouped.count()." if type(result).__name__.startswith("Grouped") else "."),
                where,
            )
    return results


def _learn_returned(scope: Scope, results: Sequence[Collection], annotation: Any, where: Origin) -> None:
    """Check the annotation of the result, and learn from it the types that nobody stated."""
    if annotation in (None, Any, inspect.Parameter.empty):
        return
    each = get_args(annotation) if get_origin(annotation) is tuple else (annotation,)
    if len(each) == 2 and each[1] is ...:
        each = each[:1] * len(results)
    if len(each) != len(results):
        raise scope.error(f"{type_name(annotation)} is annotated, but {len(results)} results are returned.", where)
    for result, one in zip(results, each, strict=True):
        kind, arguments = get_origin(one) or one, get_args(one)
        if not isinstance(kind, type) or not isinstance(result, kind):
            raise scope.error(f"{type_name(one)} is annotated, but a {type(result).__name__} is returned.", where)
        if arguments:
            _check_types(scope, result.node, arguments, f"the annotation {type_name(one)}", where)
