"""Joins with tables: what their declaration checks, and the nodes they make."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

from framework.dsl.annotations import is_assignable, type_name
from framework.dsl.global_tables import GlobalTable
from framework.dsl.joins import check_partitions, milliseconds
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope, stated
from framework.durations import Duration
from framework.plan.foreign_keys import ForeignJoinNode, SubscribeNode, SubscriptionsNode
from framework.plan.nodes import AggregateNode, Changes, Node, OutputNode, TableNode
from framework.plan.tables import (
    EACH_CHANGE,
    EACH_VERSION,
    GlobalJoinNode,
    JoinKind,
    PartsRepartitionNode,
    StreamTableJoinNode,
    TableAggregateNode,
    TableJoinNode,
    TableRef,
    VersionedTableNode,
)
from framework.plan.types import UNKNOWN, TypeRef
from serde import for_type
from serde.parts import Response, Subscription

if TYPE_CHECKING:
    from framework.dsl.streams import Stream
    from framework.dsl.tables import Table

VERBS = {"inner": "join", "left": "left_join", "outer": "outer_join"}
_BASES = (TableNode, VersionedTableNode, AggregateNode, TableAggregateNode, TableJoinNode, ForeignJoinNode)


def is_base(node: Node) -> bool:
    """True if a table's rows are in the node's own store, under the table's keys."""
    return isinstance(node, _BASES) and not (isinstance(node, AggregateNode) and _has_hidden_state(node))


def _has_hidden_state(node: AggregateNode) -> bool:
    """True if the store holds another value than the table shows, such as sum and count of a mean."""
    return getattr(node.aggregation, "result", None) is not None


def join_tables(
    left: "Table[Any, Any]",
    right: "Table[Any, Any]",
    kind: JoinKind,
    function: Callable[[Any, Any], Any] | None,
    *,
    known: object | None,
    changes: Changes,
    name: str | None,
) -> "Table[Any, Any]":
    """The table of what two tables say about each key.

    Raises:
        DeclarationError: no tables, or keys or the function do not fit.
    """
    from framework.dsl.tables import Table

    scope, verb = left._scope, VERBS[kind]
    _check_table(scope, verb, right)
    name = scope.name(verb, name, stateful=True)
    _check_keys(scope, left.node.key, right.node, "the table it is joined with")
    check_partitions(scope, verb, left.node, right.node)
    function, value = _result(scope, verb, function, known, left.node.value, right.node.value, kind)
    left_ref, right_ref = left.ref(), right.ref()
    node = TableJoinNode(
        name=name,
        verb=verb,
        origin=user_line(),
        parents=(output_of(scope, left_ref.base, EACH_CHANGE), output_of(scope, right_ref.base, EACH_CHANGE)),
        key=left.node.key,
        value=value,
        kind=kind,
        left=left_ref,
        right=right_ref,
        function=function,
        changes=changes,
    )
    scope.add(node)
    return Table(scope, node)


def join_by_foreign_key(
    left: "Table[Any, Any]",
    right: "Table[Any, Any]",
    kind: JoinKind,
    on: Callable[[Any], Any],
    function: Callable[[Any, Any], Any] | None,
    *,
    known: object | None,
    changes: Changes,
    name: str | None,
) -> "Table[Any, Any]":
    """The left table, each row with the right row that `on(left value)` names.

    Raises:
        DeclarationError: no table, or the foreign key or the function does not fit.
    """
    from framework.dsl.tables import Table

    scope, verb = left._scope, VERBS[kind]
    _check_table(scope, verb, right)
    name = scope.name(verb, name, stateful=True)
    foreign = _optional_part(scope.check_function(verb, on, ("values", left.node.value)).returns)
    if not is_assignable(foreign, right.node.key.known):
        raise scope.error(
            f"{verb}(on=…) gives keys of type {type_name(foreign)}, but the table it looks them up in has keys of type "
            f"{type_name(right.node.key.known)}: correct one of the two."
        )
    right.node.key.learn(foreign)
    function, value = _result(scope, verb, function, known, left.node.value, right.node.value, kind)
    left_ref, right_ref = left.ref(), right.ref()
    origin, key, row = user_line(), left.node.key, left.node.value
    subscribe = SubscribeNode(
        name=f"{name}-subscribe",
        verb=verb,
        origin=origin,
        parents=(left.node,),
        key=right.node.key,
        value=TypeRef(Subscription),
        kind=kind,
        foreign_key=on,
        row=row,
    )
    asked = PartsRepartitionNode(
        name=f"{name}-subscription",
        verb="repartition",
        origin=origin,
        parents=(subscribe,),
        key=right.node.key,
        value=TypeRef(Subscription),
        kind=Subscription,
        parts=(key, for_type(bytes), for_type(str)),
    )
    subscriptions = SubscriptionsNode(
        name=f"{name}-subscriptions",
        verb=verb,
        origin=origin,
        parents=(asked, right.node),
        key=key,
        value=TypeRef(Response),
        right=right_ref,
    )
    answered = PartsRepartitionNode(
        name=f"{name}-response",
        verb="repartition",
        origin=origin,
        parents=(subscriptions,),
        key=key,
        value=TypeRef(Response),
        kind=Response,
        parts=(right.node.value, for_type(bytes)),
    )
    node = ForeignJoinNode(
        name=name,
        verb=verb,
        origin=origin,
        parents=(answered, left_ref.base),
        key=key,
        value=value,
        kind=kind,
        left=left_ref,
        row=row,
        function=function,
        changes=changes,
    )
    for each in (subscribe, asked, subscriptions, answered, node):
        scope.add(each)
    return Table(scope, node)


def join_stream_with_table(
    stream: "Stream[Any, Any]",
    table: "Table[Any, Any]",
    kind: JoinKind,
    function: Callable[[Any, Any], Any] | None,
    *,
    grace: Duration | None = None,
    known: object | None = None,
    name: str | None = None,
) -> "Stream[Any, Any]":
    """The stream's records, each with the table's row of its key.

    Raises:
        DeclarationError: an outer join, a grace without a versioned table, or keys or the function do not fit.
    """
    from framework.dsl.streams import Stream

    scope, verb = stream._scope, VERBS[kind]
    if kind == "outer":
        raise scope.error(
            "outer_join() of a stream with a table cannot be: only records of the stream give results. Use "
            "left_join(), or make the stream a table with to_table()."
        )
    name = scope.name(verb, name, stateful=grace is not None)
    keyed = stream._keyed(verb)
    _check_keys(scope, keyed.node.key, table.node, "the table it is joined with")
    check_partitions(scope, verb, keyed.node, table.node)
    function, value = _result(scope, verb, function, known, keyed.node.value, table.node.value, kind)
    ref = table.ref()
    if grace is not None and not ref.is_versioned:
        raise scope.error(
            f"{verb}(grace=…) looks records up as of their timestamps, so the table must remember: give it a history, "
            'as in to_table(history="1h") or app.topic(…, history="1h").'
        )
    told = output_of(scope, ref.base, EACH_VERSION if ref.is_versioned else EACH_CHANGE)
    node = StreamTableJoinNode(
        name=name,
        verb=verb,
        origin=user_line(),
        parents=(keyed.node, told),
        key=keyed.node.key,
        value=value,
        kind=kind,
        table=ref,
        function=function,
        grace_ms=None if grace is None else milliseconds(scope, verb, "grace", grace),
    )
    scope.add(node)
    return Stream(scope, node)


def join_stream_with_global_table(
    stream: "Stream[Any, Any]",
    table: GlobalTable[Any, Any],
    kind: JoinKind,
    key: Callable[[Any], Any] | None,
    function: Callable[[Any, Any], Any] | None,
    *,
    known: object | None = None,
    name: str | None = None,
) -> "Stream[Any, Any]":
    """The stream's records, each with the global table's row that `key(value)` names.

    Raises:
        DeclarationError: an outer join, no key function, or it or the function does not fit.
    """
    from framework.dsl.streams import Stream

    scope, verb = stream._scope, VERBS[kind]
    if kind == "outer":
        raise scope.error("outer_join() with a global table cannot be: use left_join(), or read the topic as a Table.")
    if key is None:
        raise scope.error(f"{verb}() with a global table needs key=fn(value), which says what to look up.")
    wanted = _optional_part(scope.check_function(verb, key, ("values", stream.node.value)).returns)
    if not is_assignable(wanted, table.node.key.known):
        raise scope.error(
            f"{verb}(key=…) gives keys of type {type_name(wanted)}, but the global table has keys of type "
            f"{type_name(table.node.key.known)}: correct one of the two."
        )
    function, value = _result(scope, verb, function, known, stream.node.value, table.node.value, kind)
    node = GlobalJoinNode(
        name=scope.name(verb, name),
        verb=verb,
        origin=user_line(),
        parents=(stream.node,),
        key=stream.node.key,
        value=value,
        kind=kind,
        table=table.node,
        lookup=key,
        function=function,
    )
    scope.add(node)
    return Stream(scope, node, is_rekeyed=stream.is_rekeyed)


def materialized(scope: Scope, node: Node) -> TableRef:
    """A table as what a join can look up: its own store, or one that is made for it."""
    if is_base(node):
        return TableRef(node)
    base = TableNode(
        name=f"{node.name}-table",
        verb="to_table",
        origin=user_line(),
        parents=(node,),
        key=node.key,
        value=node.value,
        changes="all",
    )
    scope.add(base)
    return TableRef(base)


def output_of(scope: Scope, base: Node, index: int) -> OutputNode:
    """An output of a table's base beside its main one; each is there once."""
    for node in scope.nodes:
        if isinstance(node, OutputNode) and node.parents == (base,) and node.index == index:
            return node
    output = OutputNode(
        name=f"{base.name}.{'each' if index == EACH_CHANGE else 'versions'}",
        verb=base.verb,
        origin=base.origin,
        parents=(base,),
        key=base.key,
        value=base.value,
        index=index,
    )
    scope.add(output)
    return output


def _check_table(scope: Scope, verb: str, right: object) -> None:
    from framework.dsl.tables import Table

    if not isinstance(right, Table):
        raise scope.error(
            f"{verb}() joins a table with a table, got {type(right).__name__}"
            + (": a stream becomes one by .to_table()." if type(right).__name__ == "Stream" else ".")
        )


def _check_keys(scope: Scope, key: TypeRef, other: Node, where: str) -> None:
    key.learn(other.key.known)
    scope.check_edge("keys", other.key, key.known, where)


def _result(
    scope: Scope,
    verb: str,
    function: Callable[[Any, Any], Any] | None,
    known: object | None,
    left: TypeRef,
    right: TypeRef,
    kind: JoinKind,
) -> tuple[Callable[[Any, Any], Any], TypeRef]:
    """The function that joins, and the type it gives; without one, pairs of both sides."""
    left, right = _optional(left, when=kind == "outer"), _optional(right, when=kind != "inner")
    if function is not None:
        return function, stated(
            known, scope.check_function(verb, function, ("values", left), ("values", right)).returns
        )
    is_known = left.known is not UNKNOWN and right.known is not UNKNOWN
    known = known or (tuple[left.known, right.known] if is_known else None)  # type: ignore[name-defined]  # data
    return _pair, stated(known, UNKNOWN)


def _pair(left: Any, right: Any) -> tuple[Any, Any]:
    return left, right


def _optional(ref: TypeRef, *, when: bool) -> TypeRef:
    known: Any = ref.known
    return TypeRef(Union[known, None]) if when and known is not UNKNOWN else ref  # noqa: UP007  # known is data


def _optional_part(known: object) -> object:
    from framework.dsl.annotations import without_none

    return without_none(known)
