"""Partial results before a repartition: each chunk sends one per key instead of every record.

Only where partial results come to exactly the same: counts, and sums of whole numbers. Not where each change is told.
"""

from dataclasses import dataclass, replace

from framework.plan.nodes import Aggregation, Node


@dataclass(frozen=True, eq=False, kw_only=True)
class CombineNode(Node):
    """Aggregates each chunk by key for the step `step`, which merges what comes of it.

    Its value is a partial state.
    """

    aggregation: Aggregation
    step: str


def merging(aggregation: Aggregation) -> Aggregation:
    """What merges partial states; the first one starts."""
    assert aggregation.merge is not None
    return replace(aggregation, kind="fold", add=aggregation.merge, initial=None)
