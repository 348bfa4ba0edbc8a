"""Splitting a stream by predicates, and over topics by a function."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from framework.dsl.annotations import type_name
from framework.dsl.origin import user_line
from framework.dsl.sinks import add_sink
from framework.dsl.topics import Topic
from framework.naming import is_legal
from framework.plan.nodes import BranchNode, Node, OutputNode, RouteNode

if TYPE_CHECKING:
    from framework.dsl.streams import Stream

_REST = "otherwise"


def branch_stream(
    stream: "Stream[Any, Any]", given: tuple[Any, ...], otherwise: bool | str, name: str | None
) -> "tuple[Stream[Any, Any], ...] | dict[str, Stream[Any, Any]]":
    """One stream per predicate and one for the rest, by number or by name.

    Raises:
        DeclarationError: no predicate, or a name that cannot be part of a step's.
    """
    from framework.dsl.streams import Stream

    scope = stream._scope
    is_named = len(given) == 1 and isinstance(given[0], Mapping)
    predicates: dict[Any, Callable[..., Any]] = dict(given[0]) if is_named else dict(enumerate(given))
    if not predicates:
        raise scope.error("branch() takes at least one predicate.")
    for predicate in predicates.values():
        scope.check_function("branch", predicate, ("values", stream.node.value))
    labels: list[Any] = list(predicates)
    if otherwise:
        labels.append((_REST if otherwise is True else otherwise) if is_named else len(predicates))
    for label in labels if is_named else ():
        if not isinstance(label, str) or not is_legal(label) or labels.count(label) > 1:
            raise scope.error(
                f"branch() cannot call a stream {label!r}: use distinct names of letters, digits, dots, dashes and "
                "underscores."
            )
    node = BranchNode(
        name=scope.name("branch", name),
        verb="branch",
        origin=user_line(),
        parents=(stream.node,),
        key=stream.node.key,
        value=stream.node.value,
        predicates=tuple(predicates.values()),
    )
    scope.add(node)
    streams = {
        label: Stream[Any, Any](scope, _output(stream, node, i, str(label)), is_rekeyed=stream.is_rekeyed)
        for i, label in enumerate(labels)
    }
    return streams if is_named else tuple(streams.values())


def route_stream(
    stream: "Stream[Any, Any]", choose: Any, topics: tuple[Topic[Any, Any], ...], name: str | None
) -> None:
    """Write each record to the topic that the function chooses.

    Raises:
        DeclarationError: no function, or no topics to choose from; keys or values do not fit one of them.
    """
    scope = stream._scope
    if isinstance(choose, Topic):
        raise scope.error("to() takes topics= together with a function that chooses among them, not with one topic.")
    if not topics:
        raise scope.error(
            "to() takes, with a function, the topics that it chooses from: to(fn, topics=(a, b)). They are created, "
            "checked and written in one transaction, so they must be known."
        )
    for topic in topics:
        if not isinstance(topic, Topic):
            raise scope.error(f"to() takes topics made by app.topic(), got {type_name(type(topic))}.")
    scope.check_function("to", choose, ("values", stream.node.value))
    node = RouteNode(
        name=scope.name("to", name),
        verb="to",
        origin=user_line(),
        parents=(stream.node,),
        key=stream.node.key,
        value=stream.node.value,
        function=choose,
        topics=tuple(topic.spec for topic in topics),
    )
    scope.add(node)
    for i, topic in enumerate(topics):
        add_sink(scope, _output(stream, node, i, topic.name), topic)


def _output(stream: "Stream[Any, Any]", parent: BranchNode | RouteNode, index: int, label: str) -> Node:
    node = OutputNode(
        name=f"{parent.name}.{label}",
        verb=parent.verb,
        origin=parent.origin,
        parents=(parent,),
        key=parent.key,
        value=parent.value,
        index=index,
    )
    stream._scope.add(node)
    return node
