"""`App`: where a program is declared. Declaring only collects nodes; nothing connects to Kafka before `run`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from framework.dsl.handlers import declare_handler
from framework.dsl.migrations import declare_migration
from framework.dsl.origin import user_line
from framework.dsl.periodic import periodic_call
from framework.dsl.processing import add_processor
from framework.dsl.processors import Processor
from framework.dsl.scope import Scope
from framework.dsl.sinks import add_sink
from framework.dsl.streams import Stream
from framework.dsl.topics import Topic
from framework.dsl.topologies import declare_topology
from framework.durations import Duration, to_ms
from framework.errors import DeclarationError
from framework.naming import is_legal
from framework.plan.compile import compile_plan
from framework.plan.migration import with_migrations
from framework.plan.nodes import Node, SourceNode
from framework.plan.plan import Migration, PeriodicCall, Plan
from framework.plan.tables import GlobalTableNode
from framework.plan.topics import FILE_SUFFIXES, TopicSpec, serde_for
from framework.plan.types import TypeRef
from serde import SerdeError

if TYPE_CHECKING:
    from framework.drivers.batch import BatchOutputs

K = TypeVar("K")
V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound=Callable[[], Any])
P = TypeVar("P", bound=type[Processor[Any, Any, Any]])


class App:
    """A program of typed topologies over topics.

    Args:
        id: the consumer group, and the prefix of internal topics, stores' folders and transactional ids.
        require_names: refuse steps that keep state or make a topic and have no `name=`.
        max_idle: how long records of one input wait for another input of their task that has nothing more; by default
            only while the broker is known to hold more.
        idle_timeout: a partition without records for so long follows the stream time of the others on its worker, so
            that its final results come out; None: it waits for its next record.
        reuse_source_topics: a table that holds a topic as it is has no changelog; the topic, which must keep its
            records or be compacted, is replayed instead.
        settings: settings of this app, by name; arguments of the command and the environment go before them.
    """

    def __init__(
        self,
        id: str,
        *,
        require_names: bool = False,
        max_idle: Duration = "0s",
        idle_timeout: Duration | None = None,
        reuse_source_topics: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        if not is_legal(id):
            raise DeclarationError(
                f"{user_line()}: {id!r} cannot be an app's id: use 1 to 200 letters, digits, dots, dashes, underscores."
            )
        self.id, self.require_names, self.settings = id, require_names, dict(settings or {})
        self._max_idle_ms, self._idle_timeout_ms = _to_ms(max_idle), _to_ms(idle_timeout or "0s")
        self._reuse_source_topics = reuse_source_topics
        self.topics: dict[str, TopicSpec] = {}
        self._nodes: list[Node] = []
        self._sources: dict[str, SourceNode] = {}
        self._global_tables: dict[str, GlobalTableNode] = {}
        self._topologies: dict[str, str] = {}
        self._periodic: dict[str, PeriodicCall] = {}
        self._migrations: dict[str, Migration] = {}

    @overload
    def topic(
        self,
        name: str,
        *,
        value: type[V],
        key: None = None,
        serde: str | None = None,
        partitions: int | None = None,
        replication: int | None = None,
        config: Mapping[str, str] | None = None,
        timestamp: Callable[[V], int] | None = None,
        fill: str | Path | None = None,
        history: Duration | None = None,
    ) -> Topic[None, V]: ...

    @overload
    def topic(
        self,
        name: str,
        *,
        value: type[V],
        key: type[K],
        serde: str | None = None,
        partitions: int | None = None,
        replication: int | None = None,
        config: Mapping[str, str] | None = None,
        timestamp: Callable[[V], int] | None = None,
        fill: str | Path | None = None,
        history: Duration | None = None,
    ) -> Topic[K, V]: ...

    def topic(
        self,
        name: str,
        *,
        value: Any,
        key: Any = None,
        serde: str | None = None,
        partitions: int | None = None,
        replication: int | None = None,
        config: Mapping[str, str] | None = None,
        timestamp: Callable[[Any], int] | None = None,
        fill: str | Path | None = None,
        history: Duration | None = None,
    ) -> Topic[Any, Any]:
        """Declare a topic and the types of its keys and values.

        Args:
            name: the topic's name in Kafka.
            value: the type of the values.
            key: the type of the keys; None: keys are neither read nor written.
            serde: the format of the values, "json", "msgpack" or "avro"; None: what suits the type.
            partitions: how many the topic is created with, where this app creates it.
            replication: how many copies, likewise; None: the broker's default.
            config: settings of the topic, likewise.
            timestamp: takes a record's time from its value, as ms since the epoch; None: the record's own timestamp.
            fill: a file (.txt, .jsonl, .csv, .parquet) whose records the topic gets when the app starts and finds it
                empty, for instance the initial state of a class, or reference data of a table. The topic is written
                in one transaction: whole or not at all, whoever starts beside.
            history: where a parameter of a topology reads the topic as a `Table`: how long the table remembers what
                keys were, as `to_table(history=)`.
        Raises:
            DeclarationError: declared before in another way, or a type that no serde handles.
        """
        if not is_legal(name):
            raise DeclarationError(f"{user_line()}: {name!r} cannot be a topic's name.")
        spec = TopicSpec(
            name, key, value, serde, partitions, replication, dict(config or {}), timestamp, _file(fill, name)
        )
        for what, known, chosen in (("keys", key, None), ("values", value, serde)):
            try:
                if known is not None:
                    serde_for(known, chosen)
            except SerdeError as error:
                raise DeclarationError(f'{user_line()}: the {what} of the topic "{name}": {error}') from error
        if self.topics.setdefault(name, spec) != spec:
            raise DeclarationError(
                f'{user_line()}: the topic "{name}" was declared before with other types or settings.'
            )
        return Topic(spec, history)

    def topology(
        self,
        *sources: Topic[Any, Any],
        to: Topic[Any, Any] | tuple[Topic[Any, Any], ...] | None = None,
        name: str | None = None,
    ) -> Callable[[F], F]:
        """Declare a topology: the function gets one stream or table per source and returns what goes `to` the sinks.

        The function runs once, now, and only builds a graph. The annotation of each parameter says how its topic is
        read: `Stream` or `Table`.

        Raises:
            DeclarationError: types, sources or sinks do not fit; the message starts with file and line.
        """

        def declare(function: F) -> F:
            scope = self._scope(name or function.__name__)
            declare_topology(scope, function, sources, to, read=self._source, read_globally=self._global_table)
            return function

        return declare

    def handler(
        self,
        source: Topic[Any, Any],
        *,
        to: Topic[Any, Any] | None = None,
        concurrency: int = 1,
        batch: bool = False,
        name: str | None = None,
    ) -> Callable[[F], F]:
        """Declare a function that is called with each value of a topic, and with its `Context` if it asks for it.

        What it returns goes `to` a topic with the record's key: a value, None for nothing, or several by `yield`.

        Args:
            source: the topic.
            to: where results go.
            concurrency: how many calls of an async function may be under way at once; calls of one key never are.
            batch: the function gets a list of values and returns a list as long, None where there is no result.
            name: of the step; None: the function's.
        """

        def declare(function: F) -> F:
            scope = self._scope(name or function.__name__)
            declare_handler(scope, function, self._source(source), to, concurrency=concurrency, batch=batch)
            return function

        return declare

    def processor(
        self, source: Topic[Any, Any], *, to: Topic[Any, Any] | None = None, name: str | None = None
    ) -> Callable[[P], P]:
        """Declare a class derived from `Processor` that is called with each record of a topic, with state per key.

        Its stores are called after it: the state `total` of the class `Velocity` is `Velocity.total`.
        """

        def declare(processor: P) -> P:
            scope = self._scope(name or processor.__name__)
            stream: Stream[Any, Any] = Stream(scope, self._source(source))
            node = add_processor(scope, processor, stream.spread_by_key("processor").node, scope.topology)
            if to is not None:
                add_sink(scope, node, to)
            return processor

        return declare

    def every(self, interval: Duration) -> Callable[[E], E]:
        """Declare a function without arguments that each worker process calls at this interval of its wall clock.

        It runs on the worker's thread between chunks, the first time one interval after the start; an error stops the
        worker. Several workers each call it: it is for what belongs to a process, such as a heartbeat.
        """

        def declare(function: E) -> E:
            call = periodic_call(function, interval)
            if before := self._periodic.get(call.name):
                raise DeclarationError(
                    f'{call.origin}: a function named "{call.name}" was declared with every() at {before.origin}.'
                )
            self._periodic[call.name] = call
            return function

        return declare

    def migrate(self, old: str, *, to: str, type: object) -> Callable[[F], F]:
        """Declare a function that makes values of a new store from those of a store of an earlier version of the app.

        A task whose new store was never written reads what the old one held, once its stores are restored, and writes
        what the function returns in its first transaction. Keys and timestamps stay; the old changelog is left as it
        is, and the declaration may go once every partition has been taken over.

        Args:
            old: the store of before, which no step of the app keeps any more.
            to: the store that takes its place, with the same kind of keys.
            type: of the values of before. The function takes one, and returns the new one, or None to leave it out.
        Raises:
            DeclarationError: the types do not fit, or a second migration fills the same store.
        """

        def declare(function: F) -> F:
            migration = declare_migration(self.id, old, to, type, function)
            if before := self._migrations.get(to):
                raise DeclarationError(
                    f'{migration.origin}: the store "{to}" is filled by the migration at {before.origin} already.'
                )
            self._migrations[to] = migration
            return function

        return declare

    def plan(self) -> Plan:
        """What the declared topologies come to: sub-topologies, stores, internal topics. Needs no Kafka."""
        plan = compile_plan(
            self.id,
            self._nodes,
            max_idle_ms=self._max_idle_ms,
            idle_timeout_ms=self._idle_timeout_ms,
            reuse_source_topics=self._reuse_source_topics,
        )
        return with_migrations(replace(plan, periodic=tuple(self._periodic.values())), self._migrations)

    def batch(self, inputs: "Mapping[Topic[Any, Any], Iterable[Any]]") -> "BatchOutputs":
        """Run the app over bounded inputs, without Kafka, to their end; final results come out.

        Args:
            inputs: by topic. A record is its value; of a topic with keys a pair of key and value, or those and the
                timestamp (ms); of any topic what `topic.record()` makes.
        Returns:
            What was written, by topic: `outputs[counts]` is a list of keys and values.
        Raises:
            RecordError: a record cannot be processed.
        """
        from framework.drivers.batch import run_batch

        return run_batch(self, inputs)

    def run(self, **settings: Any) -> None:
        """Run one worker, or `workers=` of them, until SIGTERM or SIGINT; settings by name.

        Raises:
            StreamError: as the command `penstock run` would report it.
        """
        # Reason: declaring an app loads neither Kafka's client nor RocksDB; running it does.
        from framework.runtime.run import run_app

        run_app(self, settings)

    def _scope(self, topology: str) -> Scope:
        origin = user_line()
        if not is_legal(topology):
            raise DeclarationError(f"{origin}: {topology!r} cannot name a topology: give it one with name=.")
        if topology in self._topologies:
            raise DeclarationError(
                f'{origin}: a topology named "{topology}" was declared at {self._topologies[topology]}: '
                "names of stores and topics come from it, so choose another with name=."
            )
        self._topologies[topology] = str(origin)
        return Scope(topology, self._nodes, require_names=self.require_names, read=self._source)

    def _source(self, topic: Topic[Any, Any]) -> SourceNode:
        _check_source(topic)
        spec = topic.spec
        if spec.name not in self._sources:
            source = SourceNode(
                name=spec.name,
                verb="source",
                origin=user_line(),
                key=TypeRef(type(None) if spec.is_keyless else spec.key_type),
                value=TypeRef(spec.value_type),
                topic=spec,
            )
            self._sources[spec.name] = source
            self._nodes.append(source)
        return self._sources[spec.name]

    def _global_table(self, topic: Topic[Any, Any]) -> GlobalTableNode:
        _check_source(topic)
        spec = topic.spec
        if spec.is_keyless:
            raise DeclarationError(
                f'{user_line()}: the topic "{spec.name}" has no key, so it cannot be read as a GlobalTable: declare it '
                "with key=."
            )
        if spec.name not in self._global_tables:
            self._global_tables[spec.name] = GlobalTableNode(
                name=spec.name,
                verb="global table",
                origin=user_line(),
                key=TypeRef(spec.key_type),
                value=TypeRef(spec.value_type),
                topic=spec,
            )
        return self._global_tables[spec.name]

    def __repr__(self) -> str:
        return f"App({self.id!r})"


def _check_source(topic: object) -> None:
    if not isinstance(topic, Topic):
        raise DeclarationError(f"{user_line()}: sources are topics made by app.topic(), got {topic!r}.")


def _file(path: str | Path | None, topic: str) -> Path | None:
    if path is None:
        return None
    if not isinstance(path, str | Path) or Path(path).suffix not in FILE_SUFFIXES:
        raise DeclarationError(
            f'{user_line()}: fill= of the topic "{topic}" takes the path of a file that ends in one of '
            f"{', '.join(FILE_SUFFIXES)}, got {path!r}."
        )
    return Path(path)


def _to_ms(duration: Duration) -> int:
    try:
        return to_ms(duration)
    except ValueError as error:
        raise DeclarationError(f"{user_line()}: {error}.") from error
