"""A bounded run: the plan, operators and tasks of production over inputs with an end, without Kafka.

Every topic has one partition. Sub-topologies run one after the other, each over all of its input, so what travels
through a repartition topic is complete before it is read; only those that ask and answer each other, for a join by a
foreign key, take turns until nobody asks any more. Several inputs of one task are read in the order of their
timestamps. At the end of its input every step sends what it still holds back. Stores are in memory and gone afterwards;
there are no changelogs. What an app reads of what it writes itself comes after what was given for that topic.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from framework.dsl import App, Topic
from framework.errors import ConfigError, DeclarationError
from framework.operators import Output, StepFailed
from framework.plan.levels import Group, levels
from framework.plan.plan import Plan, Sink, Source, SubTopology, table_source
from framework.records import Headers, Record, Records, TaskId, TopicPartition
from framework.runtime.buffer import RecordBuffer
from framework.runtime.files import Writer, read_file
from framework.runtime.task import Task, TaskPhase
from state import GlobalState, MemoryBackend, TaskState

K = TypeVar("K")
V = TypeVar("V")

_CHUNK_RECORDS = 10_000
_COMMIT_KEYS = 200_000


class EncodedRecord(NamedTuple):
    """A record as bytes; timestamp in ms."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers | None = None


class BatchOutputs:
    """What a batch wrote, by topic, in the order of writing."""

    def __init__(self, plan: Plan, written: Mapping[str, list[Record]]) -> None:
        self._app_id, self._written = plan.app_id, written

    def __getitem__(self, topic: Topic[K, V]) -> list[tuple[K, V]]:
        return [(record.key, record.value) for record in self.records(topic)]

    def records(self, topic: Topic[Any, Any]) -> list[Record]:
        """The whole records of a topic.

        Raises:
            ValueError: the app does not write it.
        """
        if topic.name not in self._written:
            raise ValueError(
                f'the app "{self._app_id}" does not write the topic "{topic.name}"; '
                f"it writes {', '.join(self._written) or 'none'}."
            )
        return self._written[topic.name]

    def table(self, topic: Topic[K, V]) -> dict[K, V]:
        """The latest value of each key; keys whose latest record is a tombstone are left out."""
        latest = dict(self[topic])
        return {key: value for key, value in latest.items() if value is not None}


def run_batch(app: App, inputs: Mapping[Topic[Any, Any], Iterable[Any]]) -> BatchOutputs:
    """Run an app over values in memory; see `App.batch`."""
    plan = app.plan()
    sinks = _sinks(plan)
    written: dict[str, list[Record]] = {topic.name: [] for topic in plan.topics if topic.name in sinks}

    def collect(output: Output) -> None:
        rows = written[output.topic]
        rows += decoded(sinks[output.topic], output, len(rows))

    Batch(plan, collect).run(_encoded_inputs(plan, {topic.name: rows for topic, rows in inputs.items()}))
    return BatchOutputs(plan, written)


def run_batch_on_files(plan: Plan, inputs: Mapping[str, Path], outputs: Mapping[str, Path]) -> dict[str, int]:
    """Run a plan over files, by topic; how many records were written to each topic.

    Raises:
        ConfigError: a file cannot be read or written, or the app does not read or write its topic.
    """
    topics, sinks = {topic.name: topic for topic in plan.topics}, _sinks(plan)
    if strangers := [name for name in outputs if name not in sinks]:
        raise ConfigError(f'the app "{plan.app_id}" does not write {", ".join(strangers)}.')
    rows = _encoded_inputs(plan, {name: read_file(path, topics[name]) for name, path in inputs.items()})
    counts = {topic.name: 0 for topic in plan.topics if topic.name in sinks}
    writers: dict[str, Writer] = {}

    def write(output: Output) -> None:
        if output.topic in writers:
            writers[output.topic].write(decoded(sinks[output.topic], output, counts[output.topic]))
        counts[output.topic] += len(output)

    try:
        for name, path in outputs.items():
            writers[name] = Writer(path, topics[name])
        Batch(plan, write).run(rows)
    except BaseException:
        for writer in writers.values():
            writer.discard()
        raise
    for writer in writers.values():
        writer.close()
    return counts


def _sinks(plan: Plan) -> dict[str, Sink]:
    return {sink.topic: sink for sub in plan.sub_topologies for sink in sub.sinks}


def _encoded_inputs(plan: Plan, inputs: Mapping[str, Iterable[Any]]) -> dict[str, Iterator[EncodedRecord]]:
    sources = {table.name: table_source(table) for table in plan.global_tables}
    sources.update({source.topic: source for sub in plan.sub_topologies for source in sub.sources})
    if strangers := [name for name in inputs if name not in sources]:
        raise ConfigError(f'the app "{plan.app_id}" does not read {", ".join(strangers)}.')
    files = {
        topic.name: read_file(topic.fill, topic)
        for topic in plan.source_topics
        if topic.fill is not None and topic.name not in inputs
    }
    return {name: encoded(sources[name], rows) for name, rows in {**files, **inputs}.items()}


def decoded(sink: Sink, output: Output, first_offset: int) -> list[Record]:
    """What was written, as records; offsets from this one on."""
    keys: list[Any] = output.keys if sink.key_serde is None else sink.key_serde.deserialize_many(output.keys)
    values = sink.value_serde.deserialize_many(output.values)
    rows = zip(keys, values, output.timestamps, output.headers or [None] * len(output), strict=True)
    return [
        Record(output.topic, 0, offset, key, value, timestamp, headers or [])
        for offset, (key, value, timestamp, headers) in enumerate(rows, start=first_offset)
    ]


def encoded(source: Source, rows: Iterable[Any]) -> Iterator[EncodedRecord]:
    """Records as `App.batch` takes them, as bytes.

    Raises:
        ValueError: a record is not of that form.
        SerdeError: a key or a value is not of the topic's type.
    """
    key_serde, value_serde = source.key_serde, source.value_serde
    for row in rows:
        key, value, timestamp, headers = _parts(source, row)
        yield EncodedRecord(
            None if key is None or key_serde is None else key_serde.serialize(key),
            None if value is None else value_serde.serialize(value),
            timestamp,
            headers,
        )


def _parts(source: Source, row: Any) -> tuple[Any, Any, int, Headers | None]:
    if isinstance(row, Record):
        return row.key, row.value, row.timestamp_ms, row.headers or None
    if source.key_serde is None:
        return None, row, 0, None
    if isinstance(row, tuple) and len(row) in (2, 3):
        return row[0], row[1], row[2] if len(row) == 3 else 0, None
    raise ValueError(
        f'the topic "{source.topic}" has keys, so its records are pairs (key, value) or (key, value, timestamp), '
        f"or made by topic.record(); got {row!r}."
    )


class Batch:
    """One run of a plan.

    Args:
        plan: the plan.
        write: is given what reaches the user's topics, in chunks.
        chunk_records: the most records of one chunk.
    """

    def __init__(self, plan: Plan, write: Callable[[Output], None], chunk_records: int = _CHUNK_RECORDS) -> None:
        self._plan, self._write, self._chunk_records = plan, write, chunk_records
        read = {topic for sub in plan.sub_topologies for topic in sub.topics}
        self._between: dict[str, list[EncodedRecord]] = {
            sink.topic: [] for sub in plan.sub_topologies for sink in sub.sinks if sink.topic in read
        }
        self._user_topics = {topic.name for topic in plan.topics}
        specs = [table.store_spec() for table in plan.global_tables]
        self.global_tables = GlobalState(specs, MemoryBackend([spec.name for spec in specs]))

    def run(self, inputs: Mapping[str, Iterator[EncodedRecord]]) -> None:
        """Run over the inputs, by topic; those that are not given are empty.

        Raises:
            DeclarationError: the app reads what it writes, in a circle.
            RecordError: a record cannot be processed.
            TimeError: a step failed while it sent its results.
        """
        inputs = dict(inputs)
        for table in self._plan.global_tables:
            rows = list(inputs.get(table.name, ()))
            inputs[table.name] = iter(rows)
            keys, values = [row.key for row in rows], [row.value for row in rows]
            self.global_tables.apply(table.name, 0, keys, values, [row.timestamp_ms for row in rows], len(rows))
        for level in levels(self._plan, self._between):
            for group in level:
                self._refuse_circle(group)
                runs = [_SubRun(self, sub, self._chunk_records, inputs) for sub in group.subs]
                _feed_all(runs)
                for run in runs:
                    run.finish()
                _feed_all(runs)
                for run in runs:
                    run.close()

    def _refuse_circle(self, group: Group) -> None:
        if own := sorted(group.between & self._user_topics):
            raise DeclarationError(
                f'the app "{self._plan.app_id}" reads what it writes, in a circle over {", ".join(own)}: '
                "there is no end to such a program, so it cannot run over a bounded input."
            )

    def take(self, output: Output) -> None:
        """What a sub-topology wrote: to the user, or to the sub-topologies after it."""
        if output.topic in self._user_topics:
            self._write(output)
        if output.topic in self._between:
            headers = output.headers or [None] * len(output)
            rows = zip(output.keys, output.values, output.timestamps, headers, strict=True)
            self._between[output.topic] += [EncodedRecord(*row) for row in rows]

    def pending(self, topic: str) -> Iterator[EncodedRecord]:
        """What was written to a topic since it was last asked for."""
        if topic in self._between:
            rows, self._between[topic] = self._between[topic], []
            yield from rows


def _feed_all(runs: "Sequence[_SubRun]") -> None:
    """Until none has anything to read; in a circle what one writes the others read."""
    while any([run.feed() for run in runs]):  # noqa: C419  # each has its turn
        pass


class _SubRun:
    """One sub-topology over its input."""

    def __init__(
        self, batch: Batch, sub: SubTopology, chunk_records: int, inputs: Mapping[str, Iterator[EncodedRecord]]
    ) -> None:
        self._batch, self._sub, self._chunk_records = batch, sub, chunk_records
        specs = [store.spec for store in sub.stores]
        state = TaskState(specs, MemoryBackend([spec.name for spec in specs]))
        self._task = Task(TaskId(sub.index, 0), sub, state, global_tables=batch.global_tables.stores)
        self._task.enter(TaskPhase.RESTORING)
        self._task.enter(TaskPhase.RUNNING)
        self._given = {TopicPartition(topic, 0): inputs.get(topic, iter(())) for topic in sub.topics}
        self._offsets = dict.fromkeys(self._given, 0)
        self._buffer = RecordBuffer(list(self._given), first_topics=sub.first_topics)

    def feed(self) -> bool:
        """Run all there is to read now; False if there was nothing."""
        waiting = {tp: chain(given, self._batch.pending(tp.topic)) for tp, given in self._given.items()}
        was_fed = False
        while waiting or len(self._buffer):
            for tp in [tp for tp in waiting if self._buffer.count(tp) < self._chunk_records]:
                rows = list(islice(waiting[tp], self._chunk_records))
                if rows:
                    self._buffer.add(tp, self._task.timed(tp, _records(rows, self._offsets[tp])))
                    self._offsets[tp] += len(rows)
                    was_fed = True
                else:
                    del waiting[tp]
                    self._buffer.drained(tp)
            while chunk := self._buffer.take(self._chunk_records, 0):
                self._task.process_batch(chunk)
                self._send()
                if self._task.state.uncommitted_count >= _COMMIT_KEYS:
                    self._commit()
        self._commit()
        return was_fed

    def finish(self) -> None:
        """Nothing follows."""
        self._task.finish({})
        self._commit()

    def close(self) -> None:
        self._task.close()

    def _send(self) -> None:
        for output in self._task.take_outputs():
            self._batch.take(output)

    def _commit(self) -> None:
        try:
            self._task.flush()
            self._send()
            self._task.changelog()
        except StepFailed as error:
            raise self._task.time_error(error) from error
        self._task.commit({})


def _records(rows: list[EncodedRecord], first_offset: int) -> Records:
    headers = [row.headers for row in rows]
    return Records(
        [row.key for row in rows],
        [row.value for row in rows],
        [row.timestamp_ms for row in rows],
        list(range(first_offset, first_offset + len(rows))),
        headers if any(headers) else None,
    )
