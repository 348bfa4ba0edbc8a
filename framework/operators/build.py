"""Node → operator: the declared half becomes the running half."""

from collections.abc import Callable, Mapping
from typing import Any

from framework.operators.aggregate import TableOperator, build_aggregate
from framework.operators.base import AnyOperator, OperatorContext
from framework.operators.branch import BranchOperator, RouteOperator
from framework.operators.cogroup import CogroupOperator
from framework.operators.combine import CombineOperator
from framework.operators.deduplicate import DeduplicateOperator
from framework.operators.foreign_key_join import ForeignJoinOperator, SubscribeOperator, SubscriptionsOperator
from framework.operators.handle import HandleOperator
from framework.operators.lift import LIFTED, LiftedOperator, pass_on
from framework.operators.processor import build_processor
from framework.operators.rate import LimitOperator
from framework.operators.session_aggregate import SessionOperator
from framework.operators.sliding_aggregate import SlidingOperator
from framework.operators.stream_join import StreamJoinOperator
from framework.operators.stream_table_join import GlobalJoinOperator, build_stream_table_join
from framework.operators.suppress import SuppressOperator
from framework.operators.table_group import TableAggregateOperator, TableGroupOperator
from framework.operators.table_join import TableJoinOperator
from framework.operators.table_map import TableFilterOperator, TableMapOperator
from framework.operators.versioned_table import VersionedTableOperator
from framework.operators.window_aggregate import TimeWindowOperator
from framework.plan.combine import CombineNode
from framework.plan.foreign_keys import ForeignJoinNode, SubscribeNode, SubscriptionsNode
from framework.plan.joins import StreamJoinNode
from framework.plan.limits import DeduplicateNode, LimitNode
from framework.plan.nodes import AggregateNode, BranchNode, Node, RouteNode, StepNode, TableNode
from framework.plan.processors import HandleNode, ProcessorNode
from framework.plan.tables import (
    GlobalJoinNode,
    StreamTableJoinNode,
    SuppressNode,
    TableAggregateNode,
    TableFilterNode,
    TableGroupNode,
    TableJoinNode,
    TableMapNode,
    VersionedTableNode,
)
from framework.plan.windows import SessionWindows, SlidingWindows, WindowedNode


def _build_step(node: StepNode, _: OperatorContext) -> AnyOperator:
    return LiftedOperator(pass_on if node.function is None else LIFTED[node.verb](node.function))


def _build_branch(node: BranchNode, _: OperatorContext) -> AnyOperator:
    return BranchOperator(node.predicates)


def _build_route(node: RouteNode, _: OperatorContext) -> AnyOperator:
    return RouteOperator(node.function, node.topics)


def _build_table(node: TableNode, context: OperatorContext) -> AnyOperator:
    return TableOperator(node, context, every_change=node.changes == "all")


def _build_aggregate(node: AggregateNode, context: OperatorContext) -> AnyOperator:
    return CogroupOperator(node, context) if len(node.parents) > 1 else build_aggregate(node, context)


def _build_windowed(node: WindowedNode, context: OperatorContext) -> AnyOperator:
    match node.windows:
        case SessionWindows():
            return SessionOperator(node, node.windows, context)
        case SlidingWindows():
            return SlidingOperator(node, node.windows, context)
        case _:
            return TimeWindowOperator(node, node.windows, context)


BUILDERS: Mapping[type[Node], Callable[[Any, OperatorContext], AnyOperator]] = {
    StepNode: _build_step,
    BranchNode: _build_branch,
    TableNode: _build_table,
    AggregateNode: _build_aggregate,
    CombineNode: CombineOperator,
    WindowedNode: _build_windowed,
    VersionedTableNode: VersionedTableOperator,
    TableMapNode: TableMapOperator,
    TableFilterNode: TableFilterOperator,
    TableGroupNode: TableGroupOperator,
    TableAggregateNode: TableAggregateOperator,
    TableJoinNode: TableJoinOperator,
    StreamTableJoinNode: build_stream_table_join,
    GlobalJoinNode: GlobalJoinOperator,
    RouteNode: _build_route,
    StreamJoinNode: StreamJoinOperator,
    DeduplicateNode: DeduplicateOperator,
    LimitNode: LimitOperator,
    SuppressNode: SuppressOperator,
    SubscribeNode: SubscribeOperator,
    SubscriptionsNode: SubscriptionsOperator,
    ForeignJoinNode: ForeignJoinOperator,
    HandleNode: HandleOperator,
    ProcessorNode: build_processor,
}


def build_operator(node: Node, context: OperatorContext) -> AnyOperator:
    """The running step of a node that is neither source nor sink nor output."""
    return BUILDERS[type(node)](node, context)
