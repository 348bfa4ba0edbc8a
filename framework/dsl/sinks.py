"""Writing a stream or a table to a topic."""

from typing import Any

from framework.dsl.annotations import type_name
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.topics import Topic
from framework.plan.nodes import Node, SinkNode
from framework.plan.types import UNKNOWN


def add_sink(scope: Scope, node: Node, topic: Topic[Any, Any], name: str | None = None) -> None:
    """End a path in a topic, after a check that its keys and values fit.

    Raises:
        DeclarationError: they do not fit.
    """
    if not isinstance(topic, Topic):
        raise scope.error(f"to() takes a topic made by app.topic(), got {topic!r}.")
    spec = topic.spec
    keys = node.key.known
    if spec.is_keyless and keys not in (None, type(None), UNKNOWN):
        raise scope.error(
            f'the topic "{spec.name}" has no key, but the records have keys of type {type_name(keys)}: '
            "declare the topic with key=, so that they are not lost."
        )
    where = f'the topic "{spec.name}"'
    scope.check_edge("keys", node.key, type(None) if spec.is_keyless else spec.key_type, where)
    scope.check_edge("values", node.value, spec.value_type, where)
    scope.add(
        SinkNode(
            name=scope.name("to", name),
            verb="to",
            origin=user_line(),
            parents=(node,),
            key=node.key,
            value=node.value,
            topic=spec,
        )
    )
