"""Steps between tables: maps and filters, groupings, joins by key, suppression.

A table has a `base`, the step whose store holds it under the table's own keys, and a `View`, the maps and filters
between that store and the table. A join asks the base for each of its changes (`EACH_CHANGE`), whatever the base passes
on to others and when, and looks the other side up in its store; so it sees both tables as of the place of a record in
the order of the input, however the input is cut.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from framework.plan.nodes import Aggregation, Changes, Function, Node, RepartitionNode
from framework.plan.topics import TopicSpec, serde_for
from framework.plan.types import TypeRef
from serde import Serde, for_type
from serde.parts import Change, HeadersSerde, PartsSerde, TimedKeySerde, Waiting
from state import StoreSpec

EACH_CHANGE = 1
"""The output of a table's base with each change, at once; its `Chunk.olds` are whole entries (value, timestamp)."""
EACH_VERSION = 2
"""The output of a versioned table with each version that was put, also those that are not the newest."""

JoinKind = Literal["inner", "left", "outer"]


@dataclass(frozen=True)
class View:
    """What maps and filters make of a base's value; None: not in the table. An empty one is the base itself."""

    steps: tuple[tuple[Literal["map", "filter"], Function], ...] = ()

    def __call__(self, value: Any) -> Any:
        for verb, function in self.steps:
            if value is None:
                return None
            if verb == "map":
                value = function(value)
            elif not function(value):
                return None
        return value

    def then(self, verb: Literal["map", "filter"], function: Function) -> "View":
        """The view of what follows."""
        return View((*self.steps, (verb, function)))

    def __bool__(self) -> bool:
        return bool(self.steps)


@dataclass(frozen=True)
class TableRef:
    """A table as a join looks it up: the base whose store it is in, and the view of it."""

    base: Node
    view: View = field(default_factory=View)

    @property
    def is_versioned(self) -> bool:
        """True if the table can be looked up as of a time."""
        return isinstance(self.base, VersionedTableNode)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableMapNode(Node):
    """Each value of a table by a function; deletions pass."""

    forwards_olds: ClassVar[bool] = True

    function: Function


@dataclass(frozen=True, eq=False, kw_only=True)
class TableFilterNode(Node):
    """The rows of a table for which a function is true; a row that leaves is deleted."""

    needs_olds: ClassVar[bool] = True

    function: Function


@dataclass(frozen=True, eq=False, kw_only=True)
class VersionedTableNode(Node):
    """Keeps the newest value per key, by timestamp, in the store `name`, and its history (ms) in another beside it."""

    history_ms: int
    changes: Changes = "latest"

    def store_specs(self) -> tuple[StoreSpec, ...]:
        # Cost: it loads the stores, which most declarations do without.
        from state.versioned import versioned_specs

        return versioned_specs(self.name, serde_for(self.key.known), serde_for(self.value.known), self.history_ms)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableGroupNode(Node):
    """Turns each change of a table into what to subtract and what to add, by new keys: its values are `Change`s.

    `pair(key, value)` gives the new key and the value that is aggregated. With a `view` its parent tells each change of
    the table's base; else its parent is the table, which has no base.
    """

    needs_olds: ClassVar[bool] = True

    pair: Callable[[Any, Any], tuple[Any, Any]]
    view: View | None


@dataclass(frozen=True, eq=False, kw_only=True)
class PartsRepartitionNode(RepartitionNode):
    """A repartition topic whose values are named tuples of the class `kind`."""

    kind: type[Any]
    parts: tuple[TypeRef | Serde[Any], ...]

    def value_serde(self) -> Serde[Any]:
        return PartsSerde(
            self.kind, tuple(serde_for(part.known) if isinstance(part, TypeRef) else part for part in self.parts)
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class TableAggregateNode(Node):
    """Keeps one value per group of rows in the store `name`: old values are subtracted, new ones added."""

    aggregation: Aggregation
    subtract: Function
    changes: Changes = "latest"

    def store_specs(self) -> tuple[StoreSpec, ...]:
        return (self._key_value_spec(),)


@dataclass(frozen=True, eq=False, kw_only=True)
class TableJoinNode(Node):
    """Joins two tables by key, latest against latest; the result is kept in the store `name`."""

    kind: JoinKind
    left: TableRef
    right: TableRef
    function: Function
    changes: Changes = "latest"

    def store_specs(self) -> tuple[StoreSpec, ...]:
        return (self._key_value_spec(),)


SEQUENCE_BYTES = 4
"""Width of the number that tells records apart that wait with the same time and key."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamTableJoinNode(Node):
    """Looks the key of each record up in a table. With `grace_ms` records wait for so much stream time before."""

    kind: JoinKind
    table: TableRef
    function: Function
    grace_ms: int | None = None

    def store_specs(self) -> tuple[StoreSpec, ...]:
        if self.grace_ms is None:
            return ()
        stream = self.parents[0]
        key = TimedKeySerde(serde_for(stream.key.known), SEQUENCE_BYTES)
        value = PartsSerde(Waiting, (serde_for(stream.value.known), HeadersSerde()))
        return (StoreSpec(self.name, key, value, has_clock=True, is_ordered=True),)


@dataclass(frozen=True, eq=False, kw_only=True)
class SuppressNode(Node):
    """Holds changes of a table back.

    Attributes:
        wait_ms: until stream time is so much later than the change's buffer time; None: for ever.
        is_until_close: the buffer time is the end of the window, else the timestamp of the first change held back.
        max_records: at most so many keys are held back.
        max_bytes: at most so many bytes, keys and values as they are stored.
        is_emitting_when_full: what is too much goes on early; else the task stops.
    """

    forwards_olds: ClassVar[bool] = True

    wait_ms: int | None
    is_until_close: bool = False
    max_records: int | None = None
    max_bytes: int | None = None
    is_emitting_when_full: bool = True

    def store_specs(self) -> tuple[StoreSpec, ...]:
        key, value = serde_for(self.key.known), serde_for(self.value.known)
        held = StoreSpec(
            self.name, TimedKeySerde(key), PartsSerde(Change, (value, value)), has_clock=True, is_ordered=True
        )
        specs = [held] if self.is_until_close else [held, StoreSpec(self.name + TIMES, key, for_type(int))]
        if self.max_records is not None or self.max_bytes is not None:
            specs.append(StoreSpec(self.name + SIZE, for_type(str), for_type(int)))
        return tuple(specs)


TIMES, SIZE = "-times", "-size"
"""Stores beside that of what a `SuppressNode` holds back: buffer times by key; how many rows and bytes there are."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GlobalTableNode(Node):
    """A table of which every worker holds all partitions, read beside the tasks. Named after its topic."""

    topic: TopicSpec

    def store_spec(self) -> StoreSpec:
        """The store of each worker's copy."""
        return StoreSpec(self.name, serde_for(self.key.known), serde_for(self.value.known, self.topic.format))


@dataclass(frozen=True, eq=False, kw_only=True)
class GlobalJoinNode(Node):
    """Looks `lookup(value)` of each record up in a global table."""

    kind: JoinKind
    table: GlobalTableNode
    lookup: Function
    function: Function
