"""The plan of an app: sub-topologies with their sources, steps, stores and sinks. Frozen, printable, without Kafka."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from framework.plan.nodes import Node, Origin, RepartitionNode, SinkNode, SourceNode
from framework.plan.processors import ProcessorNode
from framework.plan.tables import GlobalTableNode
from framework.plan.topics import InternalTopic, TopicRole, TopicSpec
from serde import Serde
from state import StoreSpec


@dataclass(frozen=True)
class Source:
    """A topic that a sub-topology reads, with how its records are decoded. `key_serde` None: keyless."""

    topic: str
    node: SourceNode | RepartitionNode | GlobalTableNode
    key_serde: Serde[Any] | None
    value_serde: Serde[Any]

    @property
    def is_internal(self) -> bool:
        return isinstance(self.node, RepartitionNode)

    @property
    def timestamp(self) -> Callable[[Any], int] | None:
        """Takes the timestamp (ms) from the value; None: the record's own."""
        return self.node.topic.timestamp if isinstance(self.node, SourceNode) else None


def table_source(table: GlobalTableNode) -> Source:
    """The topic of a global table."""
    spec = table.store_spec()
    return Source(table.topic.name, table, spec.key_serde, spec.value_serde)


@dataclass(frozen=True)
class Sink:
    """A topic that a sub-topology writes. `key_serde` None: keyless."""

    topic: str
    node: SinkNode | RepartitionNode
    key_serde: Serde[Any] | None
    value_serde: Serde[Any]


@dataclass(frozen=True)
class Migration:
    """How a store that is empty is filled from the changelog of one that was.

    Attributes:
        old: the store of before.
        to: the store that takes its place; it has the same keys.
        value_serde: reads the values of before.
        convert: the new value for an old one; None: the key is left out.
        changelog: the topic that holds the state of before.
    """

    old: str
    to: str
    changelog: str
    value_serde: Serde[Any]
    convert: Callable[[Any], Any]
    origin: Origin


@dataclass(frozen=True)
class StorePlan:
    """A store and the topic that makes it durable: a changelog, or with `is_source` the user's topic that fills it.

    The position of the first kind is an offset of the changelog, that of the second one of the source topic. With a
    `migration` it is filled from the store of before, if it was never written.
    """

    spec: StoreSpec
    node: Node
    changelog: str
    is_source: bool = False
    migration: Migration | None = None

    @property
    def name(self) -> str:
        return self.spec.name


@dataclass(frozen=True)
class SubTopology:
    """Steps joined without a topic between them: what one task runs on one partition.

    `steps` stand in an order in which every step comes after those it reads from. `is_ordered` says that paths meet,
    so that chunks must remember the order of their records. `told_each` names the steps of the whole plan whose every
    change somebody reads.
    """

    index: int
    sources: tuple[Source, ...]
    steps: tuple[Node, ...]
    stores: tuple[StorePlan, ...]
    sinks: tuple[Sink, ...]
    is_ordered: bool
    told_each: frozenset[str] = frozenset()

    @property
    def topics(self) -> tuple[str, ...]:
        return tuple(source.topic for source in self.sources)

    @property
    def first_topics(self) -> frozenset[str]:
        """Those whose records go before all others: they fill states."""
        fillers = {n for step in self.steps if isinstance(step, ProcessorNode) for n in step.parents[1:]}
        return frozenset(source.topic for source in self.sources if source.node in fillers)


@dataclass(frozen=True)
class PeriodicCall:
    """A function that every worker calls at an interval of its wall clock, counted from its start."""

    name: str
    interval_ms: int
    function: Callable[[], object]
    origin: Origin


@dataclass(frozen=True)
class Plan:
    """An app, compiled.

    Attributes:
        topics: those of the user.
        internal_topics: those the app makes for itself.
        max_idle_ms: how long records wait for another input of their task that has nothing more.
        idle_timeout_ms: after so long without records a task follows the stream time of its peers; 0: never.
        global_tables: those of which every worker holds all; their topics are among `topics`.
        periodic: functions that each worker calls at an interval.
    """

    app_id: str
    sub_topologies: tuple[SubTopology, ...]
    topics: tuple[TopicSpec, ...]
    internal_topics: tuple[InternalTopic, ...]
    max_idle_ms: int = 0
    idle_timeout_ms: int = 0
    global_tables: tuple[GlobalTableNode, ...] = ()
    periodic: tuple[PeriodicCall, ...] = ()

    @property
    def source_topics(self) -> tuple[TopicSpec, ...]:
        """Those of the user's topics that are read, in whatever way."""
        read = {source.topic for sub in self.sub_topologies for source in sub.sources}
        read.update(table.topic.name for table in self.global_tables)
        return tuple(topic for topic in self.topics if topic.name in read)

    def repartition_topics(self) -> tuple[InternalTopic, ...]:
        return tuple(topic for topic in self.internal_topics if topic.role is TopicRole.REPARTITION)
