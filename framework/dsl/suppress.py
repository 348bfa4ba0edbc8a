"""Suppression of a table's changes: what its declaration checks, and the node it makes."""

from typing import TYPE_CHECKING, Any, get_origin

from framework.dsl.annotations import type_name
from framework.dsl.joins import milliseconds
from framework.dsl.origin import user_line
from framework.dsl.windows import check_grace
from framework.durations import Duration
from framework.plan.nodes import Node
from framework.plan.tables import SuppressNode, TableFilterNode, TableMapNode, VersionedTableNode
from framework.plan.windows import WindowedNode
from serde.windowed import Windowed

if TYPE_CHECKING:
    from framework.dsl.tables import Table

UNTIL_CLOSE = "window closes"


def suppress_table(
    table: "Table[Any, Any]",
    until: Duration | None,
    max_records: int | None,
    max_bytes: int | None,
    when_full: str,
    name: str | None,
) -> "Table[Any, Any]":
    """The table, its changes held back.

    Raises:
        DeclarationError: nothing would ever come out, or too early; a wrong limit; a versioned table; no window to wait
            for.
    """
    from framework.dsl.tables import Table

    scope, node = table._scope, table.node
    if until is None and max_records is None and max_bytes is None:
        raise scope.error(
            'suppress() without until= and without a limit lets nothing out: give it until="10s", '
            'until="window closes", max_records= or max_bytes=.'
        )
    for what, limit in (("max_records", max_records), ("max_bytes", max_bytes)):
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            raise scope.error(f"suppress() takes {what} >= 1, got {limit!r}.")
    if when_full not in ("emit", "stop"):
        raise scope.error(f'suppress() takes when_full="emit" or "stop", got {when_full!r}.')
    if isinstance(_before_views(node), VersionedTableNode):
        raise scope.error(
            "suppress() holds back changes by the order they come in, so it cannot follow a table with history."
        )
    is_until_close = until == UNTIL_CLOSE
    wait_ms: int | None
    if is_until_close:
        is_limited = max_records is not None or max_bytes is not None
        if is_limited and when_full == "emit":
            raise scope.error(
                'suppress(until="window closes") emits one final result per window, so nothing may leave early: use '
                'when_full="stop", or no limit.'
            )
        wait_ms = _grace_of_window(table)
    else:
        wait_ms = None if until is None else milliseconds(scope, "suppress", "until", until)
    suppressed = SuppressNode(
        name=scope.name("suppress", name, stateful=True),
        verb="suppress",
        origin=user_line(),
        parents=(node,),
        key=node.key,
        value=node.value,
        wait_ms=wait_ms,
        is_until_close=is_until_close,
        max_records=max_records,
        max_bytes=max_bytes,
        is_emitting_when_full=when_full == "emit",
    )
    scope.add(suppressed)
    return Table(scope, suppressed)


def _before_views(node: Node) -> Node:
    while isinstance(node, TableMapNode | TableFilterNode):
        (node,) = node.parents
    return node


def _grace_of_window(table: "Table[Any, Any]") -> int:
    """How long (ms) after the end of a window its result may still change.

    Raises:
        DeclarationError: the table has no windows.
    """
    node = _before_views(table.node)
    grace_ms = getattr(node, "close_delay_ms", None)
    known = table.node.key.known
    if grace_ms is None or (get_origin(known) or known) is not Windowed:
        raise table._scope.error(
            f'suppress(until="window closes") follows a windowed aggregation, but the keys of this table are '
            f"{type_name(known)}: put it directly after one, or use a duration."
        )
    if isinstance(node, WindowedNode):
        check_grace(table._scope, node.windows, 'suppress(until="window closes")')
    return int(grace_ms)
