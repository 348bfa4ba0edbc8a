"""Sub-topologies in the order in which a bounded input passes through them."""

from collections.abc import Collection

from framework.errors import DeclarationError
from framework.plan.plan import Plan, SubTopology


def levels(plan: Plan, between: Collection[str]) -> list[list[SubTopology]]:
    """Sub-topologies by the longest way that leads to them.

    Args:
        plan: the plan.
        between: the topics that one sub-topology writes and another reads; others are input.
    Raises:
        DeclarationError: the ways form a circle.
    """
    subs = plan.sub_topologies
    writers = {
        topic: [sub.index for sub in subs if any(sink.topic == topic for sink in sub.sinks)] for topic in between
    }
    depth: dict[int, int] = {}
    while len(depth) < len(subs):
        settled = len(depth)
        for sub in subs:
            before = [writer for topic in sub.topics for writer in writers.get(topic, ())]
            if sub.index not in depth and all(writer in depth for writer in before):
                depth[sub.index] = max((depth[writer] + 1 for writer in before), default=0)
        if len(depth) == settled:
            names = sorted({topic for sub in subs if sub.index not in depth for topic in sub.topics})
            raise DeclarationError(
                f'the app "{plan.app_id}" reads what it writes, in a circle over {", ".join(names)}: '
                "there is no end to such a program, so it cannot run over a bounded input."
            )
    return [[sub for sub in subs if depth[sub.index] == level] for level in range(max(depth.values()) + 1)]
