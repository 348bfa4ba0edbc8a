"""Sub-topologies in the order in which a bounded input passes through them."""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet

from framework.errors import DeclarationError
from framework.plan.plan import Plan, SubTopology


def levels(plan: Plan, between: Collection[str]) -> list[list[SubTopology]]:
    """Sub-topologies by the longest way that leads to them.

    Those that ask and answer each other by repartition topics, as for a join by a foreign key, are of one level.

    Args:
        plan: the plan.
        between: the topics that one sub-topology writes and another reads; others are input.
    Raises:
        DeclarationError: the ways form a circle over the user's topics.
    """
    subs = plan.sub_topologies
    internal = {topic.name for topic in plan.repartition_topics()}
    before = {sub.index: _writers(plan, sub, between) for sub in subs}
    after_all = {sub.index: _leading_to(sub.index, before) for sub in subs}
    circles = {i: frozenset({i, *(j for j in leading if i in after_all[j])}) for i, leading in after_all.items()}
    for sub in subs:
        circle = circles[sub.index]
        if sub.index not in after_all[sub.index]:
            continue
        asks = {t for t in sub.topics if t in between and any(w in circle for w in _writers(plan, sub, {t}))}
        if not asks <= internal:
            names = sorted({topic for index in circle for topic in subs[index].topics})
            raise DeclarationError(
                f'the app "{plan.app_id}" reads what it writes, in a circle over {", ".join(names)}: '
                "there is no end to such a program, so it cannot run over a bounded input."
            )
    depth: dict[int, int] = {}
    while len(depth) < len(subs):
        for sub in subs:
            outside = set().union(*(before[i] for i in circles[sub.index])) - circles[sub.index]
            if all(writer in depth for writer in outside):
                depth.setdefault(sub.index, max((depth[writer] + 1 for writer in outside), default=0))
    return [[sub for sub in subs if depth[sub.index] == level] for level in range(max(depth.values()) + 1)]


def _writers(plan: Plan, sub: SubTopology, between: Collection[str]) -> set[int]:
    """Who writes what a sub-topology reads."""
    read = {topic for topic in sub.topics if topic in between}
    return {other.index for other in plan.sub_topologies if any(sink.topic in read for sink in other.sinks)}


def _leading_to(index: int, before: Mapping[int, AbstractSet[int]]) -> set[int]:
    """All sub-topologies from which a way leads to this one; itself too, if one does."""
    found: set[int] = set()
    waiting = set(before[index])
    while waiting:
        found |= waiting
        waiting = {i for j in waiting for i in before[j]} - found
    return found
