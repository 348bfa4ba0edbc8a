"""The declaration as a graph: frozen nodes that know their parents, their types and the user's line.

The language (`dsl`) makes them, `plan` arranges them, `operators` are built from them. Parents always come before
their children in the order of declaration.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

from framework.plan.topics import TopicSpec, serde_for
from framework.plan.types import TypeRef
from serde import Serde
from state import StoreSpec

Function = Callable[..., Any]
Changes = Literal["latest", "all"]
Emit = Literal["changes", "final", "complete"]


class Origin(NamedTuple):
    """Where the user declared something; prints as `file:line`, the file relative to here where it can be."""

    file: str
    line: int

    def __str__(self) -> str:
        path = Path(self.file)
        here = Path.cwd()
        return f"{path.relative_to(here) if path.is_relative_to(here) else path}:{self.line}"


@dataclass(frozen=True, eq=False, kw_only=True)
class Node:
    """One step. `verb` is the word the user wrote, `name` what stores, topics, errors and metrics call it.

    A step that `needs_olds` is told with each change of its parents what it replaces; one that `forwards_olds` keeps no
    state and asks its parents for them if a step after it needs them.
    """

    needs_olds: ClassVar[bool] = False
    forwards_olds: ClassVar[bool] = False

    name: str
    verb: str
    origin: Origin
    parents: tuple["Node", ...] = ()
    key: TypeRef = field(repr=False)
    value: TypeRef = field(repr=False)

    def store_specs(self) -> tuple[StoreSpec, ...]:
        """The stores that the step keeps. Raises SerdeError."""
        return ()

    def marks(self, store: str) -> Mapping[str, int | str]:  # noqa: ARG002  # of a node with one store, all is said
        """What must stay as it is for the entries of a store to mean the same, beside its formats and sizes."""
        return {}

    def _key_value_spec(self) -> StoreSpec:
        return StoreSpec(self.name, serde_for(self.key.known), serde_for(self.value.known))


@dataclass(frozen=True, eq=False, kw_only=True)
class SourceNode(Node):
    """Records of a topic enter."""

    topic: TopicSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class StepNode(Node):
    """A step without state: map, filter, flat_map, rekey, peek, merge, to_stream and their kin."""

    function: Function | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class BranchNode(Node):
    """Splits a stream: the first predicate that is true takes the record; what it gives are its `OutputNode`s."""

    predicates: tuple[Function, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class RouteNode(Node):
    """Sends each record to the topic that the function chooses: an `OutputNode` for each of them, with its sink."""

    function: Function
    topics: tuple[TopicSpec, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class OutputNode(Node):
    """An output of its parent: of a branch and a route all, from 0; of other steps those beside the main, from 1."""

    index: int


@dataclass(frozen=True, eq=False, kw_only=True)
class RepartitionNode(Node):
    """Sends each record to the partition of its key, by an internal topic; a sub-topology ends and another begins.

    `is_implied`: a verb needs it, the user did not ask for it; without readers it is left out.
    """

    partitions: int | None = None
    is_implied: bool = False

    def key_serde(self) -> Serde[Any]:
        """How keys travel. Raises SerdeError."""
        return serde_for(self.key.known)

    def value_serde(self) -> Serde[Any]:
        """How values travel. Raises SerdeError."""
        return serde_for(self.value.known)


@dataclass(frozen=True)
class Aggregation:
    """How records of one key become one value: `add(state, value)`, starting from `initial()`.

    `initial` is None for a reduce: the first value starts. A state of None deletes the key.

    Attributes:
        merge: makes one state of the two of sessions that join, `merge(earlier, later)`; None: not for sessions.
        result: what goes on downstream for a state; None: the state itself.
        state: the type of the state where it is not the result's.
        serde: the format of the state where its type does not tell.
        copy: copies a state before `add` changes it; None: found from the type.
        is_exact: states of parts of the records, merged, are the state of all, whatever the parts.
    """

    kind: Literal["count", "fold"]
    add: Function
    initial: Callable[[], Any] | None = None
    merge: Function | None = None
    result: Function | None = None
    state: TypeRef | None = None
    serde: Serde[Any] | None = None
    copy: Function | None = None
    is_exact: bool = False

    def state_serde(self, value: TypeRef) -> Serde[Any]:
        """How states are stored, given the type of the result. Raises SerdeError."""
        return self.serde or serde_for((self.state or value).known)


@dataclass(frozen=True, eq=False, kw_only=True)
class AggregateNode(Node):
    """Keeps one value per key in the store `name`.

    With several parents (a cogroup) the values that the aggregation adds are pairs (number of the parent, value). With
    `is_merging` they are partial states, see `combine.py`.
    """

    aggregation: Aggregation
    changes: Changes = "latest"
    emit: Emit = "changes"
    is_merging: bool = False

    def store_specs(self) -> tuple[StoreSpec, ...]:
        return (StoreSpec(self.name, serde_for(self.key.known), self.aggregation.state_serde(self.value)),)

    def marks(self, store: str) -> Mapping[str, int | str]:  # noqa: ARG002  # it has one store
        # Reason: what waits in the repartition topic is of this form, and another topic has the other.
        return {"input": "partial results"} if self.is_merging else {}


@dataclass(frozen=True, eq=False, kw_only=True)
class TableNode(Node):
    """Keeps the latest value per key in the store `name`; null deletes."""

    changes: Changes = "latest"

    def store_specs(self) -> tuple[StoreSpec, ...]:
        return (self._key_value_spec(),)


@dataclass(frozen=True, eq=False, kw_only=True)
class SinkNode(Node):
    """Records leave to a topic."""

    topic: TopicSpec
