"""Nodes to a plan: cuts the graph at repartition topics into sub-topologies and names what each needs."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from framework.errors import DeclarationError
from framework.naming import changelog_topic, repartition_topic
from framework.plan.nodes import Node, OutputNode, RepartitionNode, SinkNode, SourceNode, TableNode
from framework.plan.plan import Plan, Sink, Source, StorePlan, SubTopology
from framework.plan.tables import EACH_CHANGE, GlobalJoinNode
from framework.plan.topics import InternalTopic, TopicRole, TopicSpec, serde_for
from serde import Serde, SerdeError
from state import StoreSpec


def compile_plan(
    app_id: str,
    nodes: Sequence[Node],
    *,
    max_idle_ms: int = 0,
    idle_timeout_ms: int = 0,
    reuse_source_topics: bool = False,
) -> Plan:
    """Arrange the nodes of an app, given in the order of their declaration.

    With `reuse_source_topics` a table that holds a topic as it is has no changelog: the topic itself is replayed.

    Raises:
        DeclarationError: nothing is read, or a type cannot be written where a topic or a store needs it.
    """
    if not any(isinstance(node, SourceNode) for node in nodes):
        raise DeclarationError(
            f'the app "{app_id}" reads no topic: declare a topology with @app.topology or a handler with @app.handler.'
        )
    nodes = _without_idle(nodes)
    groups = _connected(nodes)
    group_of = {node: index for index, group in enumerate(groups) for node in group}
    sinks: list[list[Sink]] = [[] for _ in groups]
    repartitions: list[InternalTopic] = []
    for node in nodes:
        if isinstance(node, SinkNode):
            sinks[group_of[node]].append(_sink(node))
        elif isinstance(node, RepartitionNode):
            # Invariant: a repartition node opens the group it is in, and is a sink of the group of its parent.
            sink = _repartition_sink(app_id, node)
            sinks[group_of[node.parents[0]]].append(sink)
            repartitions.append(InternalTopic(sink.topic, TopicRole.REPARTITION, group_of[node], node.partitions))
    told = _told_each(nodes)
    subs = tuple(
        replace(_sub_topology(app_id, i, group, sinks[i], reuse_source_topics), told_each=told)
        for i, group in enumerate(groups)
    )
    changelogs = [
        InternalTopic(s.changelog, TopicRole.CHANGELOG, sub.index, forgets=s.spec.forgets)
        for sub in subs
        for s in sub.stores
        if not s.is_source
    ]
    topics: dict[str, TopicSpec] = {}
    for node in nodes:
        if isinstance(node, SourceNode | SinkNode):
            topics.setdefault(node.topic.name, node.topic)
    global_tables = tuple(dict.fromkeys(node.table for node in nodes if isinstance(node, GlobalJoinNode)))
    topics.update({table.topic.name: table.topic for table in global_tables if table.topic.name not in topics})
    return Plan(
        app_id,
        subs,
        tuple(topics.values()),
        (*repartitions, *changelogs),
        max_idle_ms,
        idle_timeout_ms,
        global_tables,
    )


def _told_each(nodes: Sequence[Node]) -> frozenset[str]:
    """The names of the steps whose every change somebody reads."""
    return frozenset(n.parents[0].name for n in nodes if isinstance(n, OutputNode) and n.index == EACH_CHANGE)


def _without_idle(nodes: Sequence[Node]) -> list[Node]:
    """The nodes without the implied repartitions that nobody reads."""
    read = {parent for node in nodes for parent in node.parents}
    return [node for node in nodes if not (isinstance(node, RepartitionNode) and node.is_implied and node not in read)]


def _connected(nodes: Sequence[Node]) -> list[list[Node]]:
    """Nodes joined by edges that no topic cuts, each group in the order of declaration: parents first."""
    group_of: dict[Node, list[Node]] = {}
    for node in nodes:
        parents = () if isinstance(node, RepartitionNode) else node.parents
        groups = _distinct(group_of[parent] for parent in parents)
        merged = groups[0] if groups else []
        for other in groups[1:]:
            merged.extend(other)
            group_of.update(dict.fromkeys(other, merged))
        merged.append(node)
        group_of[node] = merged
    place = {node: i for i, node in enumerate(nodes)}
    return [sorted(group, key=place.__getitem__) for group in _distinct(group_of[node] for node in nodes)]


def _distinct(groups: Iterable[list[Node]]) -> list[list[Node]]:
    return list({id(group): group for group in groups}.values())


def _sub_topology(
    app_id: str, index: int, steps: Sequence[Node], sinks: Sequence[Sink], reuse_source_topics: bool
) -> SubTopology:
    sources = [_source(app_id, node) for node in steps if isinstance(node, SourceNode | RepartitionNode)]
    stores: list[StorePlan] = []
    for node in steps:
        if reuse_source_topics and (topic := _topic_held(node)) is not None:
            stores.append(_source_store(node, topic))
        else:
            stores += [StorePlan(spec, node, changelog_topic(app_id, spec.name)) for spec in _store_specs(node)]
    return SubTopology(
        index, tuple(sources), tuple(steps), tuple(stores), tuple(sinks), is_ordered=_meets(steps, sinks)
    )


def _topic_held(node: Node) -> TopicSpec | None:
    """The topic whose records are a table's rows as they are: same keys, values and timestamps."""
    source = node.parents[0] if isinstance(node, TableNode) else None
    # Reason: where the timestamp is taken from the value, a row has another one than its record.
    if not isinstance(source, SourceNode) or source.topic.is_keyless or source.topic.timestamp is not None:
        return None
    return source.topic


def _source_store(node: Node, topic: TopicSpec) -> StorePlan:
    (spec,) = _store_specs(node)
    # Reason: rows of the store are records of the topic, so they have its format.
    spec = replace(spec, key_serde=serde_for(topic.key_type), value_serde=serde_for(topic.value_type, topic.format))
    return StorePlan(spec, node, topic.name, is_source=True)


def _source(app_id: str, node: SourceNode | RepartitionNode) -> Source:
    if isinstance(node, RepartitionNode):
        sink = _repartition_sink(app_id, node)
        return Source(sink.topic, node, sink.key_serde, sink.value_serde)
    topic = node.topic
    return Source(topic.name, node, _topic_key_serde(topic), serde_for(topic.value_type, topic.format))


def _sink(node: SinkNode) -> Sink:
    topic = node.topic
    return Sink(topic.name, node, _topic_key_serde(topic), serde_for(topic.value_type, topic.format))


def _topic_key_serde(topic: TopicSpec) -> Serde[Any] | None:
    return None if topic.is_keyless else serde_for(topic.key_type)


def _repartition_sink(app_id: str, node: RepartitionNode) -> Sink:
    return Sink(
        repartition_topic(app_id, node.name),
        node,
        _serde(node, "keys", node.key_serde),
        _serde(node, "values", node.value_serde),
    )


def _store_specs(node: Node) -> tuple[StoreSpec, ...]:
    try:
        return node.store_specs()
    except SerdeError as error:
        raise DeclarationError(f'{node.origin}: step "{node.name}" cannot keep its state: {error}') from error


def _serde(node: Node, what: str, serde: Callable[[], Serde[Any]]) -> Serde[Any]:
    try:
        return serde()
    except SerdeError as error:
        raise DeclarationError(f'{node.origin}: step "{node.name}" cannot write its {what}: {error}') from error


def _meets(steps: Sequence[Node], sinks: Sequence[Sink]) -> bool:
    """True if records can reach one step, or one topic, by several paths."""
    topics = [sink.topic for sink in sinks]
    return any(len(node.parents) > 1 for node in steps) or len(set(topics)) < len(topics)
