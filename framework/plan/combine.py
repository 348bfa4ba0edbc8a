"""Partial results before a repartition: each chunk sends one per key instead of every record.

Only where partial results come to exactly the same: counts, sums and means of whole numbers, the least and greatest of
values with a total order, and reductions that are declared associative. The parts of a key reach the step in the order
of their records where these came from one partition, so nothing has to be commutative. Not where each change
is told: then every record travels as a part of its own.
"""

from dataclasses import dataclass, replace

from framework.plan.nodes import Aggregation, Node


@dataclass(frozen=True, eq=False, kw_only=True)
class CombineNode(Node):
    """Aggregates each chunk by key for the step `step`, which merges what comes of it.

    Its value is a partial state, of the type of the states of `step`.
    """

    aggregation: Aggregation
    step: str


def merging(aggregation: Aggregation) -> Aggregation:
    """What merges partial states; the first one starts."""
    assert aggregation.merge is not None
    return replace(aggregation, kind="fold", add=aggregation.merge, initial=None)
