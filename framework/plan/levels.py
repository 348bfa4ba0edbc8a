"""Sub-topologies in the order in which a bounded input passes through them.

Those that feed each other in a circle, as the halves of a foreign-key join do, form one group: none of them is through
before all are.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from framework.plan.plan import Plan, SubTopology


@dataclass(frozen=True)
class Group:
    """Sub-topologies that feed each other in a circle, or one alone; `between` are the topics inside the circle."""

    subs: tuple[SubTopology, ...]
    between: frozenset[str]

    @property
    def is_circular(self) -> bool:
        return bool(self.between)


def levels(plan: Plan, between: Collection[str]) -> list[list[Group]]:
    """Groups of sub-topologies by the longest way that leads to them.

    Args:
        plan: the plan.
        between: the topics that one sub-topology writes and another reads; others are input.
    """
    subs = plan.sub_topologies
    feeds = {sub.index: _fed_by(sub, subs, between) for sub in subs}
    reached = {sub.index: _reached(sub.index, feeds) for sub in subs}
    groups: dict[frozenset[int], Group] = {}
    for sub in subs:
        members = frozenset({sub.index} | {i for i in reached[sub.index] if sub.index in reached[i]})
        inside = tuple(other for other in subs if other.index in members)
        groups.setdefault(members, Group(inside, _inside(inside, between)))
    depth: dict[frozenset[int], int] = {}
    while len(depth) < len(groups):
        for members in groups:
            before = [m for m in groups if m != members and any(reached[i] & members for i in m)]
            if all(m in depth for m in before):
                depth[members] = max((depth[m] + 1 for m in before), default=0)
    return [[groups[m] for m in groups if depth[m] == level] for level in range(max(depth.values()) + 1)]


def _fed_by(sub: SubTopology, subs: Collection[SubTopology], between: Collection[str]) -> set[int]:
    """The sub-topologies that read what this one writes."""
    written = {sink.topic for sink in sub.sinks if sink.topic in between}
    return {other.index for other in subs if written.intersection(other.topics)}


def _reached(start: int, feeds: Mapping[int, set[int]]) -> set[int]:
    found: set[int] = set()
    waiting = [start]
    while waiting:
        new = feeds[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def _inside(subs: Collection[SubTopology], between: Collection[str]) -> frozenset[str]:
    read = {topic for sub in subs for topic in sub.topics}
    return frozenset(sink.topic for sub in subs for sink in sub.sinks if sink.topic in between and sink.topic in read)
