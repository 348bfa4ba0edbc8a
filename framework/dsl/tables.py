"""`Table[K, V]`: the latest value of each key, kept in a store; what follows it sees its changes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from framework.dsl.annotations import pair_of, type_name
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope, stated
from framework.dsl.sinks import add_sink
from framework.dsl.streams import Stream
from framework.dsl.topics import Topic
from framework.durations import Duration
from framework.plan.nodes import Changes, Node, StepNode, TableNode
from framework.plan.tables import (
    EACH_CHANGE,
    JoinKind,
    PartsRepartitionNode,
    TableFilterNode,
    TableGroupNode,
    TableMapNode,
    TableRef,
    VersionedTableNode,
)
from framework.plan.types import TypeRef
from serde.parts import Change

if TYPE_CHECKING:
    from framework.dsl.grouped_tables import GroupedTable

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
R = TypeVar("R")


class Table(Generic[K, V]):
    """A table with keys of type K and values of type V; the store has the name of its step.

    A map or a filter keeps nothing of its own: what looks such a table up computes it from the store before it.
    """

    __slots__ = ("_ref", "_scope", "node")

    def __init__(self, scope: Scope, node: Node, ref: TableRef | None = None) -> None:
        self._scope, self.node, self._ref = scope, node, ref

    def map(self, fn: Callable[[V], V2], *, type: type[V2] | None = None, name: str | None = None) -> "Table[K, V2]":
        """Each value by `fn(value)`; a result of None is no row. Deletions pass."""
        returns = self._scope.check_function("map", fn, ("values", self.node.value)).returns
        node = TableMapNode(
            name=self._scope.name("map", name),
            verb="map",
            origin=user_line(),
            parents=(self.node,),
            key=self.node.key,
            value=stated(type, returns),
            function=fn,
        )
        return self._viewed(node, "map", fn)

    def filter(self, fn: Callable[[V], object], *, name: str | None = None) -> "Table[K, V]":
        """The rows for which `fn(value)` is true; a row for which it no longer is, is deleted."""
        self._scope.check_function("filter", fn, ("values", self.node.value))
        node = TableFilterNode(
            name=self._scope.name("filter", name),
            verb="filter",
            origin=user_line(),
            parents=(self.node,),
            key=self.node.key,
            value=self.node.value,
            function=fn,
        )
        return self._viewed(node, "filter", fn)

    @overload
    def group_by(
        self, fn: Callable[[V], K2], *, key: type[K2] | None = None, name: str | None = None
    ) -> "GroupedTable[K2, V]": ...

    @overload
    def group_by(
        self,
        fn: Callable[[V], K2],
        *,
        value: Callable[[V], V2],
        key: type[K2] | None = None,
        type: type[V2] | None = None,
        name: str | None = None,
    ) -> "GroupedTable[K2, V2]": ...

    def group_by(
        self,
        fn: Callable[[V], Any],
        *,
        value: Callable[[V], Any] | None = None,
        key: Any = None,
        type: Any = None,
        name: str | None = None,
    ) -> "GroupedTable[Any, Any]":
        """Group the rows by `fn(value)`, with their values, or with `value(value)`; None is in no group.

        Rows travel to the partition of their group by a repartition topic, with what they replace.
        """
        returns = self._scope.check_function("group_by", fn, ("values", self.node.value)).returns
        grouped = self.node.value
        if value is not None:
            grouped = stated(type, self._scope.check_function("group_by", value, ("values", self.node.value)).returns)

        def pair(_: Any, row: Any) -> tuple[Any, Any]:
            return fn(row), row if value is None else value(row)

        return self._grouped(pair, stated(key, returns), grouped, name)

    def group_by_items(
        self,
        fn: Callable[[K, V], tuple[K2, V2]],
        *,
        key: type[K2] | None = None,
        type: type[V2] | None = None,
        name: str | None = None,
    ) -> "GroupedTable[K2, V2]":
        """Group the rows by `fn(key, value)`, which returns the group's key and the value that is aggregated."""
        types = self._scope.check_function("group_by_items", fn, ("keys", self.node.key), ("values", self.node.value))
        key_type, value_type = pair_of(types.returns)
        return self._grouped(fn, stated(key, key_type), stated(type, value_type), name)

    # Joins

    @overload
    def join(
        self,
        other: "Table[Any, V2]",
        *,
        value: Callable[[V, V2], R],
        on: Callable[[V], Any] | None = None,
        type: type[R] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def join(
        self,
        other: "Table[Any, V2]",
        *,
        on: Callable[[V], Any] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, tuple[V, V2]]": ...

    def join(
        self,
        other: "Table[Any, Any]",
        *,
        value: Callable[[Any, Any], Any] | None = None,
        on: Callable[[V], Any] | None = None,
        type: Any = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, Any]":
        """The rows that both tables have, as `value(left, right)`, or as pairs.

        Args:
            other: the right table.
            value: makes the result.
            on: the foreign key: `on(left value)` is the key of the right row. None: both have the same key, and then
                both topics need the same number of partitions.
            type: the type of the result, where the function does not tell.
            changes: `"latest"` passes on the last change of each key and commit, `"all"` every one.
            name: of the step, and of the store that keeps the result.
        Results have the greater of both timestamps; by a foreign key, that of the right row when that has changed.
        """
        return self._joined(other, "inner", value, on, type, changes, name)

    @overload
    def left_join(
        self,
        other: "Table[Any, V2]",
        *,
        value: Callable[[V, V2 | None], R],
        on: Callable[[V], Any] | None = None,
        type: type[R] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def left_join(
        self,
        other: "Table[Any, V2]",
        *,
        on: Callable[[V], Any] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, tuple[V, V2 | None]]": ...

    def left_join(
        self,
        other: "Table[Any, Any]",
        *,
        value: Callable[[Any, Any], Any] | None = None,
        on: Callable[[V], Any] | None = None,
        type: Any = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, Any]":
        """Like `join`, with every row of the left table; where the right one has none, `value(left, None)`."""
        return self._joined(other, "left", value, on, type, changes, name)

    @overload
    def outer_join(
        self,
        other: "Table[K, V2]",
        *,
        value: Callable[[V | None, V2 | None], R],
        type: type[R] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, R]": ...

    @overload
    def outer_join(
        self, other: "Table[K, V2]", *, changes: Changes = "latest", name: str | None = None
    ) -> "Table[K, tuple[V | None, V2 | None]]": ...

    def outer_join(
        self,
        other: "Table[Any, Any]",
        *,
        value: Callable[[Any, Any], Any] | None = None,
        type: Any = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> "Table[K, Any]":
        """Like `join`, with every row of both tables; what is missing is None."""
        return self._joined(other, "outer", value, None, type, changes, name)

    def suppress(
        self,
        *,
        until: Duration | None = None,
        max_records: int | None = None,
        max_bytes: int | None = None,
        when_full: Literal["emit", "stop"] = "emit",
        name: str | None = None,
    ) -> "Table[K, V]":
        """Hold changes back; of each key only the last one goes on.

        Args:
            until: `"window closes"`: one final result per window, after a windowed aggregation; a duration: until
                stream time is so much later than the first change held back; None: until there are too many.
            max_records: hold at most so many keys back.
            max_bytes: hold at most so many bytes back, keys and values as they are stored.
            when_full: `"emit"` lets the oldest go early; `"stop"` stops the task with an error.
            name: of the step, and of its store.
        What leaves together leaves in the order of its buffer time (the end of the window; the timestamp of the first
        change held back), then of its key.
        """
        from framework.dsl.suppress import suppress_table

        return suppress_table(self, until, max_records, max_bytes, when_full, name)

    # To streams and topics

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

    # How it is done

    def ref(self) -> TableRef:
        """The table as joins look it up; a store is made for it if it has none."""
        from framework.dsl.table_joins import materialized

        if self._ref is None:
            self._ref = materialized(self._scope, self.node)
        return self._ref

    def _viewed(self, node: TableMapNode | TableFilterNode, verb: Literal["map", "filter"], fn: Any) -> "Table[K, Any]":
        from framework.dsl.table_joins import is_base

        self._scope.add(node)
        if self._ref is None and not is_base(self.node):
            return Table(self._scope, node)
        ref = self.ref()
        return Table(self._scope, node, TableRef(ref.base, ref.view.then(verb, fn)))

    def _grouped(
        self, pair: Callable[[Any, Any], tuple[Any, Any]], key: TypeRef, value: TypeRef, name: str | None
    ) -> "GroupedTable[Any, Any]":
        from framework.dsl.grouped_tables import GroupedTable
        from framework.dsl.table_joins import is_base, output_of

        name = self._scope.name("group_by", name, stateful=True)
        parent, view = self.node, None
        if self._ref is not None or is_base(self.node):
            parent, view = output_of(self._scope, self.ref().base, EACH_CHANGE), self.ref().view
        group = TableGroupNode(
            name=name,
            verb="group_by",
            origin=user_line(),
            parents=(parent,),
            key=key,
            value=value,
            pair=pair,
            view=view,
        )
        repartition = PartsRepartitionNode(
            name=name,
            verb="repartition",
            origin=user_line(),
            parents=(group,),
            key=key,
            value=TypeRef(Change),
            kind=Change,
            parts=(value, value),
        )
        self._scope.add(group)
        self._scope.add(repartition)
        return GroupedTable(self._scope, repartition, value)

    def _joined(
        self,
        other: "Table[Any, Any]",
        kind: JoinKind,
        function: Callable[[Any, Any], Any] | None,
        on: Callable[[Any], Any] | None,
        known: object | None,
        changes: Changes,
        name: str | None,
    ) -> "Table[K, Any]":
        from framework.dsl.table_joins import VERBS, join_by_foreign_key, join_tables

        self._scope.check_changes(VERBS[kind], changes)
        if on is not None:
            return join_by_foreign_key(self, other, kind, on, function, known=known, changes=changes, name=name)
        return join_tables(self, other, kind, function, known=known, changes=changes, name=name)

    def __repr__(self) -> str:
        return f"Table[{type_name(self.node.key.known)}, {type_name(self.node.value.known)}] after {self.node.name}"


def table_of(stream: Stream[K, V], history: Duration | None, changes: Changes, name: str | None) -> Table[K, V]:
    """The latest value per key of a stream, with a history if asked for.

    Raises:
        DeclarationError: the stream has no key, or the history is no duration or none at all.
    """
    from framework.dsl.joins import milliseconds

    scope = stream._scope
    scope.check_changes("to_table", changes)
    history_ms = None if history is None else milliseconds(scope, "to_table", "history", history)
    name = scope.name("to_table", name, stateful=True)
    parents = (stream._keyed("to_table").node,)
    origin, key, value = user_line(), stream.node.key, stream.node.value
    node: Node
    if history_ms is None:
        node = TableNode(
            name=name, verb="to_table", origin=origin, parents=parents, key=key, value=value, changes=changes
        )
    else:
        node = VersionedTableNode(
            name=name,
            verb="to_table",
            origin=origin,
            parents=parents,
            key=key,
            value=value,
            history_ms=history_ms,
            changes=changes,
        )
    scope.add(node)
    return Table(scope, node)
