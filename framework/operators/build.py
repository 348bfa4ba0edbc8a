"""Node → operator: the declared half becomes the running half."""

from framework.operators.aggregate import TableOperator, build_aggregate
from framework.operators.base import Operator, OperatorContext, SplittingOperator
from framework.operators.branch import BranchOperator
from framework.operators.lift import LIFTED, LiftedOperator, pass_on
from framework.plan.nodes import AggregateNode, BranchNode, Node, StepNode, TableNode


def build_operator(node: Node, context: OperatorContext) -> Operator | SplittingOperator:
    """The running step of a node that is neither source nor sink."""
    if isinstance(node, AggregateNode):
        return build_aggregate(node, context)
    if isinstance(node, TableNode):
        return TableOperator(node.name, context, every_change=node.changes == "all")
    if isinstance(node, BranchNode):
        return BranchOperator(node.predicates)
    if isinstance(node, StepNode) and node.function is not None:
        return LiftedOperator(LIFTED[node.verb](node.function))
    return LiftedOperator(pass_on)
