"""Which steps must say what value a change replaces, because a step after them subtracts it or compares with it."""

from collections.abc import Sequence

from framework.plan.nodes import Node


def asked_for_olds(nodes: Sequence[Node]) -> frozenset[Node]:
    """The nodes whose changes need the values they replace; `nodes` in the order of declaration, parents first."""
    asked: set[Node] = set()
    for node in reversed(nodes):
        if node.needs_olds or (node.forwards_olds and node in asked):
            asked.update(node.parents)
    return frozenset(asked)
