"""`Table[K, V]`: the latest value of each key, kept in a store; what follows it sees its changes."""

from typing import Generic, TypeVar

from framework.dsl.annotations import type_name
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.sinks import add_sink
from framework.dsl.streams import Stream
from framework.dsl.topics import Topic
from framework.plan.nodes import Node, StepNode

K = TypeVar("K")
V = TypeVar("V")


class Table(Generic[K, V]):
    """A table with keys of type K and values of type V; the store has the name of its step."""

    __slots__ = ("_scope", "node")

    def __init__(self, scope: Scope, node: Node) -> None:
        self._scope, self.node = scope, node

    def to_stream(self, *, name: str | None = None) -> Stream[K, V]:
        """The changes of the table as records; a deleted key is one with a null value."""
        node = StepNode(
            name=self._scope.name("to_stream", name),
            verb="to_stream",
            origin=user_line(),
            parents=(self.node,),
            key=self.node.key,
            value=self.node.value,
        )
        self._scope.add(node)
        return Stream(self._scope, node)

    def to(self, topic: Topic[K, V], *, name: str | None = None) -> None:
        """Write the changes of the table to a topic; a deleted key is a tombstone."""
        add_sink(self._scope, self.node, topic, name)

    def __repr__(self) -> str:
        return f"Table[{type_name(self.node.key.known)}, {type_name(self.node.value.known)}] after {self.node.name}"
