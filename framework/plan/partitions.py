"""How many partitions each topic has, and so which tasks there are.

Partition i of every topic that a sub-topology reads belongs to its task i. Where records of several topics meet in a
store, all of them must have as many partitions, else equal keys would not meet.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from framework.errors import TopicError
from framework.plan.nodes import RepartitionNode
from framework.plan.plan import Plan, SubTopology
from framework.records import TaskId, TopicPartition


@dataclass(frozen=True)
class Layout:
    """A plan on topics of known sizes. `partitions` covers the user's topics and the internal ones."""

    plan: Plan
    partitions: Mapping[str, int]

    def lead(self, sub: SubTopology) -> str:
        """The topic whose assignment decides who runs the sub-topology's tasks: the one with most partitions."""
        return max(sub.topics, key=lambda topic: self.partitions[topic])

    def task_count(self, sub: SubTopology) -> int:
        return self.partitions[self.lead(sub)]

    def tasks(self) -> list[TaskId]:
        return [TaskId(s.index, i) for s in self.plan.sub_topologies for i in range(self.task_count(s))]

    def inputs(self, task: TaskId) -> list[TopicPartition]:
        """The partitions that a task reads."""
        topics = self.plan.sub_topologies[task.sub_topology].topics
        return [TopicPartition(topic, task.partition) for topic in topics if task.partition < self.partitions[topic]]


def lay_out(plan: Plan, existing: Mapping[str, int]) -> Layout:
    """Find the number of partitions of every topic of the plan.

    Args:
        plan: the plan.
        existing: partitions of the user's topics; those of internal topics are found here, not read.
    Raises:
        TopicError: a topic is missing, or topics that meet in a store have different numbers.
    """
    if missing := [topic.name for topic in plan.source_topics if topic.name not in existing]:
        raise TopicError(
            f'the app "{plan.app_id}" reads {", ".join(missing)}, which the broker does not have: create '
            f"{'it' if len(missing) == 1 else 'them'}, for instance with `penstock topics APP --create`."
        )
    partitions = {topic.name: existing[topic.name] for topic in plan.topics if topic.name in existing}
    for topic in plan.repartition_topics():
        if topic.partitions is not None:
            partitions[topic.name] = topic.partitions
    # Reason: sub-topologies feed each other without a cycle, so each round settles at least one more topic.
    while unsettled := [t for t in plan.repartition_topics() if t.name not in partitions]:
        for topic in unsettled:
            if count := _follow(plan, topic.name, topic.sub_topology, partitions):
                partitions[topic.name] = count
    for sub in plan.sub_topologies:
        _check_co_partitioned(sub, partitions)
    layout = Layout(plan, partitions)
    for sub in plan.sub_topologies:
        partitions.update({store.changelog: layout.task_count(sub) for store in sub.stores})
        partitions.update(_of_migrations(sub, existing, layout.task_count(sub)))
    return layout


def _of_migrations(sub: SubTopology, existing: Mapping[str, int], tasks: int) -> dict[str, int]:
    """The changelogs of stores of an earlier version that are there."""
    found = {}
    for store in sub.stores:
        if store.migration is None or store.migration.changelog not in existing:
            continue
        topic, count = store.migration.changelog, existing[store.migration.changelog]
        if count != tasks:
            raise TopicError(
                f'{store.migration.origin}: the state of "{store.migration.old}" in {topic} has {count} partitions, '
                f'but "{store.name}" has {tasks}, so their keys do not meet: set the partitions of the input back.'
            )
        found[topic] = count
    return found


def _follow(plan: Plan, topic: str, reader: int, partitions: Mapping[str, int]) -> int | None:
    """As many as the settled topics it is read with; else as many as the topics that lead to it; None: not yet."""
    beside = [partitions[t] for t in plan.sub_topologies[reader].topics if t in partitions]
    if beside:
        return max(beside)
    before = [
        partitions.get(t)
        for sub in plan.sub_topologies
        if any(sink.topic == topic for sink in sub.sinks)
        for t in sub.topics
    ]
    known = [count for count in before if count is not None]
    return max(known) if len(known) == len(before) else None


def _check_co_partitioned(sub: SubTopology, partitions: Mapping[str, int]) -> None:
    if not sub.stores or len({partitions[topic] for topic in sub.topics}) == 1:
        return
    counts = ", ".join(
        f"{topic} has {partitions[topic]}" + (" (repartition)" if source.is_internal else "")
        for topic, source in zip(sub.topics, sub.sources, strict=True)
    )
    steps = ", ".join(f'"{store.name}" ({store.node.origin})' for store in sub.stores)
    explicit = [s.node for s in sub.sources if isinstance(s.node, RepartitionNode) and s.node.partitions]
    raise TopicError(
        f"records of {len(sub.topics)} topics meet in the step {steps}, so these must have the same number of "
        f"partitions: {counts}. "
        + ("Correct repartition(partitions=…)" if explicit else "Bring one of them by .repartition(partitions=…)")
        + ", or create the topics alike."
    )
