"""The test driver: an app on topics in memory, without Kafka. The same plan, operators, tasks and stores as production.

With `chunk=1` each record is handled and committed on its own, in the order of sending, and every change of a table is
emitted. Whatever follows from a record through repartition topics is run to the end before the next `send` returns:
records are handled in the order in which they were written, over all topics.

With `chunk=n` what was sent waits until somebody looks (`read`, `records`, `table`, `store`) and is then taken n
records at a time, spread over their partitions, each part handled as one chunk, then committed: as a worker does it.
With a `seed` the chunks are of 1 to n records, and commits come after some of them, by the dice of that seed.

Where it differs from production:

- A record that fails is passed over, so that the driver stays usable; a worker stops before it.
- With `chunk=1` tables emit as with `changes="all"`; a worker leaves out what was replaced within one commit.
- Records without key go round the partitions; Kafka's clients choose at random.
- Offsets have no gaps; in Kafka each transaction leaves a marker. Changelogs are not compacted, nothing expires.
- Time stands still: records that are given no time get the driver's clock, which only `advance` moves.
- There is one worker, no rebalance and no other app; several inputs of one task are read in the order of writing, if
  the app sets `max_idle`, or a topic fills a state, in that of their timestamps, as in a worker, by the driver's clock.
- A global table has a record as soon as it is sent; what waits is handled before.
- Topics have the `partitions` they were declared with, else the driver's.
"""

import random
import shutil
import tempfile
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from framework.drivers.memory_topics import MemoryTopics, StoredRecord, records_of
from framework.drivers.store_view import StoreView
from framework.dsl import App, Topic
from framework.durations import Duration, to_ms
from framework.errors import RecordError
from framework.operators import Output, StepFailed
from framework.plan.fingerprint import Fingerprint, check, fingerprints
from framework.plan.partitions import lay_out
from framework.plan.plan import StorePlan
from framework.records import Header, Record, TaskId, TopicPartition
from framework.runtime.buffer import Batch, RecordBuffer
from framework.runtime.files import read_encoded
from framework.runtime.idle import stream_times_to_follow
from framework.runtime.source_log import rows_of_topic
from framework.runtime.taking_over import Rows, keep_latest, pending
from framework.runtime.task import Task, TaskPhase
from serde import Serde, SerdeError
from state import BytesBackend, ChangelogBatch, GlobalState, MemoryBackend, TaskState

K = TypeVar("K")
V = TypeVar("V")
Serdes = tuple[Serde[Any] | None, Serde[Any]]


class TestDriver:
    """Runs an app in memory; a context manager.

    Args:
        app: the app; it is not changed, and may be driven many times.
        chunk: how many records are taken at once, see the module.
        partitions: of each topic that was declared without a number.
        seed: cut into chunks and commits by these dice.
        max_uncommitted_keys: commit when a transaction has changed so many keys, as the setting of that name.
        cache_entries: decoded entries remembered per store and task, as the setting of that name.
        backend: where stores keep what is committed; "rocksdb" as in production, in a temporary folder.
        now: the clock at the beginning (ms since the epoch).
    Raises:
        DeclarationError, TopicError: as at the start of a worker.
    """

    __test__ = False  # pytest takes classes called Test… for tests

    def __init__(
        self,
        app: App,
        *,
        chunk: int = 1,
        partitions: int = 1,
        seed: int | None = None,
        max_uncommitted_keys: int = 200_000,
        cache_entries: int = 100_000,
        backend: Literal["memory", "rocksdb"] = "memory",
        now: int = 0,
    ) -> None:
        self.now_ms = now
        self._chunk, self._max_keys, self._cache_entries = chunk, max_uncommitted_keys, cache_entries
        self._dice = random.Random(seed) if seed is not None else None
        self._default_partitions = partitions
        self._topics = MemoryTopics({})
        self._fingerprints: dict[str, Fingerprint] = {}
        self._load(app)
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-driver-")) if backend == "rocksdb" else None
        self._backends: dict[TaskId, MemoryBackend] = {}
        self._tasks: dict[TaskId, Task] = {}
        self._global = GlobalState((), MemoryBackend(()))
        self._committed: dict[TopicPartition, int] = {}
        self._waiting: deque[StoredRecord] = deque()
        self._buffers: dict[TaskId, RecordBuffer] = {}  # of tasks whose inputs wait for each other
        self._outputs: list[Output] = []  # of the open transaction
        self._seen: Counter[str] = Counter()  # how many records of each topic were read
        self._start()

    def _load(self, app: App) -> None:
        plan = app.plan()
        check(plan, self._fingerprints)
        self._fingerprints.update(fingerprints(plan))
        self._plan = plan
        counts = {topic.name: topic.partitions or self._default_partitions for topic in self._plan.topics}
        self._layout = lay_out(self._plan, {**self._topics.partitions(), **counts})
        self._topics.add(self._layout.partitions)
        self._global_specs = {table.name: table.store_spec() for table in self._plan.global_tables}
        self._serdes = self._find_serdes()
        self._inputs = {tp: task for task in self._layout.tasks() for tp in self._layout.inputs(task)}
        self._read_topics = {tp.topic for tp in self._inputs}

    # What a test does

    def send(
        self,
        topic: Topic[K, V],
        value: V | None,
        *,
        key: K | None = None,
        at: int | None = None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        """Write a record to a topic that the app reads.

        Args:
            topic: the topic.
            value: of the topic's type; None is a tombstone.
            key: of the topic's type.
            at: its timestamp (ms); None: the driver's clock.
            headers: pairs of name and bytes.
            partition: where to; None: by the key.
        Raises:
            TypeError: key or value is not of the topic's type.
            ValueError: the app does not read the topic, or it has no such partition.
            RecordError: the app cannot process this record or one that follows from it; nothing of it is left.
        """
        key_serde, value_serde = self._serdes_to_send(topic.name)
        encoded_key = _encode(topic.name, "key", key_serde, key)
        encoded_value = _encode(topic.name, "value", value_serde, value)
        self.send_bytes(topic, encoded_value, key=encoded_key, at=at, headers=headers, partition=partition)

    def send_bytes(
        self,
        topic: Topic[Any, Any],
        value: bytes | None,
        *,
        key: bytes | None = None,
        at: int | None = None,
        headers: Sequence[Header] = (),
        partition: int | None = None,
    ) -> None:
        """Write a record as it would lie in Kafka, such as one that cannot be decoded; else like `send`."""
        self._serdes_to_send(topic.name)
        count = len(self._topics[topic.name].partitions)
        if partition is not None and not 0 <= partition < count:
            raise ValueError(f'the topic "{topic.name}" has partitions 0 to {count - 1}, not {partition}.')
        timestamp = self.now_ms if at is None else at
        if topic.name in self._global_specs:
            self._run()
        self._arrived(self._topics.append(topic.name, key, value, timestamp, list(headers) or None, partition))
        if self._chunk == 1:
            self._run()

    def read(self, topic: Topic[K, V]) -> list[tuple[K, V]]:
        """Key and value of each record written to a topic since the last `read` of it, in the order of writing."""
        self._run()
        log = self._log(topic.name)
        unread = log[self._seen[topic.name] :]
        self._seen[topic.name] = len(log)
        return [(record.key, record.value) for record in map(self._decode, unread)]

    def records(self, topic: Topic[Any, Any] | str) -> list[Record]:
        """All records of a topic since the start, in the order of writing; internal topics by their name."""
        self._run()
        return list(map(self._decode, self._log(topic if isinstance(topic, str) else topic.name)))

    def table(self, topic: Topic[K, V]) -> dict[K, V]:
        """The latest value of each key of a topic; keys whose latest record is a tombstone are left out."""
        latest = {record.key: record.value for record in self.records(topic)}
        return {key: value for key, value in latest.items() if value is not None}

    def store(self, name: str) -> StoreView:
        """Look into a store, over all its partitions.

        Raises:
            ValueError: there is no such store; the message lists those there are.
        """
        self._run()
        if name in self._global_specs:
            return StoreView([self._global.stores[name]])
        parts = [task.state.stores[name] for task in self._tasks.values() if name in task.state.stores]
        if not parts:
            names = ", ".join(store.name for sub in self._plan.sub_topologies for store in sub.stores) or "none"
            raise ValueError(f'the app "{self._plan.app_id}" has no store "{name}"; its stores: {names}.')
        return StoreView(parts)

    @property
    def dropped(self) -> dict[tuple[str, str], int]:
        """How many records each step dropped since the start or restart, by step and reason."""
        self._run()
        return dict(sum((Counter(task.dropped) for task in self._tasks.values()), Counter()))

    def advance(self, duration: Duration) -> None:
        """Move the wall clock on.

        It stops at each time that a timer or a function of `@app.every` waits for, so these find the clock exactly
        there; methods with `@every(..., clock="wall")` are called once for all that was passed at once.

        Raises:
            TimeError: a timer or such a method failed; nothing of it is left.
        """
        self._run()
        target_ms = self.now_ms + to_ms(duration)
        while (due_ms := self._next_due_ms()) is not None and due_ms <= target_ms:
            self._reach(max(due_ms, self.now_ms))
        self._reach(target_ms)

    def restart(self, app: App | None = None, *, keep_state: bool = False) -> None:
        """Crash and start again: what is not committed is gone and is done again from the committed offsets.

        The stores are lost too and come back from their changelogs, unless `keep_state`: a restart on the same disk.

        Args:
            app: another version of the app, which goes on with the topics and the state of the one before.
            keep_state: see above; with another version only stores that both have are kept.
        Raises:
            ProgramChanged: the other version does not fit the state; the one before goes on.
        """
        if app is not None:
            self._load(app)
        self._stop()
        if not keep_state:
            self._backends.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder)
        self._start()

    def turn(self) -> bool:
        """Handle one chunk of what waits, and commit if that is due; False if nothing waits. Others call it for you."""
        if self._buffers:
            self._sort_in()
        if not self._waiting and not any(map(len, self._buffers.values())):
            return False
        size = self._dice.randint(1, self._chunk) if self._dice else self._chunk
        taken = [self._waiting.popleft() for _ in range(min(size, len(self._waiting)))]
        try:
            if taken:
                self._process(taken)
            elif not self._process_buffered(size):
                return False
        except RecordError:
            if self._commit():
                raise
            return True
        if self._is_commit_due():
            self._commit()
        return True

    def close(self) -> None:
        """Release the stores."""
        self._stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Tasks

    def _start(self) -> None:
        self._fill_topics()
        self._global = GlobalState(tuple(self._global_specs.values()), MemoryBackend(list(self._global_specs)))
        for name in self._global_specs:
            for record in self._topics[name].log:
                self._apply_globally(record)
        is_migrated = False
        for task_id in self._layout.tasks():
            sub = self._plan.sub_topologies[task_id.sub_topology]
            specs = [store.spec for store in sub.stores]
            backend = self._open_backend(task_id, [spec.name for spec in specs])
            state = TaskState(specs, backend, self._cache_entries)
            task = Task(
                task_id,
                sub,
                state,
                every_change=self._chunk == 1,
                global_tables=self._global.stores,
                clock=lambda: self.now_ms,
            )
            task.enter(TaskPhase.RESTORING)
            for store in sub.stores:
                self._restore(state, store, task_id.partition)
                is_migrated |= self._migrate(task, store)
            task.enter(TaskPhase.RUNNING)
            self._tasks[task_id] = task
        if is_migrated:
            self._commit()
        self._seen_ms = dict.fromkeys(self._tasks, self.now_ms)
        self._due_ms = {call.name: self.now_ms + call.interval_ms for call in self._plan.periodic}
        self._rewind()

    def _fill_topics(self) -> None:
        for topic in self._plan.source_topics:
            if topic.fill is not None and not self._topics[topic.name].log:
                for key, value, timestamp_ms in read_encoded(topic.fill, topic):
                    self._topics.append(topic.name, key, value, timestamp_ms or self.now_ms)

    def _restore(self, state: TaskState, store: StorePlan, partition: int) -> None:
        """Bring a store up to date: from its changelog, or from the topic it holds up to the committed offset."""
        tp = TopicPartition(store.changelog, partition)
        missing = self._topics.after(tp, state.position(store.name) + 1)
        if store.is_source:
            missing = [record for record in missing if record.offset < self._committed.get(tp, 0)]
        if not missing:
            return
        rows = records_of(missing)
        if store.is_source:
            kept = rows_of_topic(store.spec, rows.keys, rows.values, rows.timestamps)
        else:
            kept = [key for key in rows.keys if key is not None], rows.values, rows.timestamps
        state.restore(store.name, *kept, rows.offsets[-1])

    def _migrate(self, task: Task, store: StorePlan) -> bool:
        """Fill a store that was never written from that of an earlier version."""
        migration = pending(task, store, self._topics)
        if migration is None:
            return False
        rows: Rows = {}
        log = self._topics.after(TopicPartition(migration.changelog, task.id.partition), 0)
        keep_latest(rows, [(r.key, r.value, r.timestamp_ms) for r in log if r.key is not None])
        task.take_over(store, rows)
        return True

    def _open_backend(self, task_id: TaskId, stores: Sequence[str]) -> BytesBackend:
        if self._folder is not None:
            from state.rocksdb import RocksBackend

            return RocksBackend(self._folder / str(task_id), stores)
        backend = self._backends.setdefault(task_id, MemoryBackend(()))
        backend.add(stores)
        return backend

    def _stop(self) -> None:
        for task in self._tasks.values():
            task.close()
        self._tasks = {}

    def _rewind(self) -> None:
        """Forget the open transaction; everything after the committed offsets waits again."""
        for task in self._tasks.values():
            task.abort()
        self._outputs = []
        waiting = [record for tp in self._inputs for record in self._topics.after(tp, self._committed.get(tp, 0))]
        self._waiting = deque(sorted(waiting, key=lambda record: record.sequence))
        waits = [
            task_id
            for task_id, task in self._tasks.items()
            if task.sub.first_topics or (self._plan.max_idle_ms and len(self._inputs_of(task_id)) > 1)
        ]
        self._buffers = {task: self._empty_buffer(task) for task in waits}

    def _inputs_of(self, task: TaskId) -> list[TopicPartition]:
        return [tp for tp, owner in self._inputs.items() if owner == task]

    def _empty_buffer(self, task: TaskId) -> RecordBuffer:
        buffer = RecordBuffer(self._inputs_of(task), self._plan.max_idle_ms, self._tasks[task].sub.first_topics)
        for tp in self._inputs_of(task):
            buffer.drained(tp)
        return buffer

    # Times

    def _next_due_ms(self) -> int | None:
        times = [*self._due_ms.values(), *(task.next_tick_ms() for task in self._tasks.values())]
        if timeout_ms := self._plan.idle_timeout_ms:
            times += [due for seen in self._seen_ms.values() if (due := seen + timeout_ms) > self.now_ms]
        return min((time for time in times if time is not None), default=None)

    def _reach(self, now_ms: int) -> None:
        """Let it be that time: what waits for it happens, and all that follows from it."""
        self.now_ms = now_ms
        while not self._tick():
            pass  # the transaction was lost: what was due is due again
        self._run()
        for call in self._plan.periodic:
            if self._due_ms[call.name] <= now_ms:
                self._due_ms[call.name] += call.interval_ms
                call.function()

    def _tick(self) -> bool:
        seen_ms = {task: self._seen_ms[task_id] for task_id, task in self._tasks.items()}
        reached_ms = stream_times_to_follow(seen_ms, self.now_ms, self._plan.idle_timeout_ms)
        for task in self._tasks.values():
            if task.is_wall_clocked or task in reached_ms:
                try:
                    if task.is_wall_clocked:
                        task.tick(self.now_ms)
                    if task in reached_ms:
                        task.advance(reached_ms[task])
                finally:
                    self._outputs += task.take_outputs()
        return self._commit()

    # Chunks and commits

    def _run(self) -> None:
        """Handle everything that waits, and what follows from it, and commit."""
        while True:
            while self.turn():
                pass
            if self._commit() and not self._waiting:
                return

    def _process(self, taken: Sequence[StoredRecord]) -> None:
        by_task: dict[TaskId, dict[TopicPartition, list[tuple[int, StoredRecord]]]] = {}
        for place, record in enumerate(taken):
            by_task.setdefault(self._inputs[record.tp], {}).setdefault(record.tp, []).append((place, record))
        for task_id, parts in by_task.items():
            task = self._tasks[task_id]
            self._seen_ms[task_id] = self.now_ms
            batch: Batch = [(tp, records_of([r for _, r in part]), [i for i, _ in part]) for tp, part in parts.items()]
            try:
                task.process_batch(batch)
            except RecordError as error:
                # Reason: a worker would stop here; a test goes on with the record after it.
                task.next_offsets[error.tp] = error.offset + 1
                left = [r for r in taken if r.offset >= self._tasks[self._inputs[r.tp]].next_offsets.get(r.tp, 0)]
                self._waiting.extendleft(reversed(left))
                raise
            finally:
                self._outputs += task.take_outputs()

    def _sort_in(self) -> None:
        """Put what was written for tasks whose inputs wait for each other into their buffers."""
        taken = [record for record in self._waiting if self._inputs[record.tp] in self._buffers]
        self._waiting = deque(record for record in self._waiting if self._inputs[record.tp] not in self._buffers)
        for record in taken:
            self._add_to_buffer(record.tp, [record])

    def _add_to_buffer(self, tp: TopicPartition, records: list[StoredRecord]) -> None:
        task = self._inputs[tp]
        if records:
            self._buffers[task].add(tp, self._tasks[task].timed(tp, records_of(records)))
            self._buffers[task].drained(tp)

    def _process_buffered(self, limit: int) -> bool:
        """Handle the next records of a task whose inputs wait for each other; False if all wait."""
        for task_id, buffer in self._buffers.items():
            batch = buffer.take(limit, self.now_ms)
            if not batch:
                continue
            task = self._tasks[task_id]
            self._seen_ms[task_id] = self.now_ms
            try:
                task.process_batch(batch)
            except RecordError as error:
                task.next_offsets[error.tp] = error.offset + 1
                self._buffers[task_id] = self._empty_buffer(task_id)
                for tp in self._inputs_of(task_id):
                    done = task.next_offsets.get(tp, self._committed.get(tp, 0))
                    self._add_to_buffer(tp, self._topics.after(tp, done))
                raise
            finally:
                self._outputs += task.take_outputs()
            return True
        return False

    def _is_commit_due(self) -> bool:
        if self._dice is None:
            return True
        changed = sum(task.state.uncommitted_count for task in self._tasks.values())
        return changed >= self._max_keys or self._dice.random() < 0.5

    def _commit(self) -> bool:
        """Make everything visible at once; False if a step failed, and the transaction is to be done again."""
        tasks = [task for task in self._tasks.values() if task.is_touched]
        changelogs = []
        for task in tasks:
            try:
                if not task.is_careful:
                    task.flush()
                changelogs.append(task.changelog())
            except StepFailed:
                task.is_careful = True
                self._rewind()
                return False
            self._outputs += task.take_outputs()
        for output in self._outputs:
            self._write(output)
        self._outputs = []
        for task, changelog in zip(tasks, changelogs, strict=True):
            self._committed.update(task.next_offsets)
            task.commit(self._write_changelogs(task, changelog))
            self._purge_changelogs(task)
        return True

    def _write(self, output: Output) -> None:
        headers = output.headers if output.headers is not None else [None] * len(output)
        for row in zip(output.keys, output.values, output.timestamps, headers, strict=True):
            self._arrived(self._topics.append(output.topic, *row))

    def _arrived(self, record: StoredRecord) -> None:
        if record.tp.topic in self._global_specs:
            self._apply_globally(record)
        if record.tp.topic in self._read_topics:
            self._waiting.append(record)

    def _apply_globally(self, record: StoredRecord) -> None:
        topic, partition = record.tp
        self._global.apply(topic, partition, [record.key], [record.value], [record.timestamp_ms], record.offset + 1)

    def _write_changelogs(self, task: Task, changelog: Mapping[str, ChangelogBatch]) -> dict[str, int]:
        """The offset of the last record, by store."""
        positions = {}
        for store in task.sub.stores:
            if store.name in changelog:
                batch = changelog[store.name]
                for row in zip(batch.keys, batch.values, batch.timestamps, strict=True):
                    last = self._topics.append(store.changelog, *row, partition=task.id.partition)
                positions[store.name] = last.offset
        return positions

    def _purge_changelogs(self, task: Task) -> None:
        """Delete what is dead, as a worker has the broker do it."""
        for store in task.sub.stores:
            self._topics.delete_before(
                TopicPartition(store.changelog, task.id.partition), task.state.dead_before(store.name)
            )

    # Serdes

    def _find_serdes(self) -> dict[str, Serdes]:
        serdes: dict[str, Serdes] = {}
        for sub in self._plan.sub_topologies:
            serdes.update((source.topic, (source.key_serde, source.value_serde)) for source in sub.sources)
            serdes.update((sink.topic, (sink.key_serde, sink.value_serde)) for sink in sub.sinks)
            serdes.update((store.changelog, (store.spec.key_serde, store.spec.value_serde)) for store in sub.stores)
        serdes.update({name: (spec.key_serde, spec.value_serde) for name, spec in self._global_specs.items()})
        return serdes

    def _serdes_to_send(self, topic: str) -> Serdes:
        if topic not in self._read_topics and topic not in self._global_specs:
            raise ValueError(
                f'the app "{self._plan.app_id}" does not read the topic "{topic}"; '
                f"it reads {', '.join(t.name for t in self._plan.source_topics)}."
            )
        return self._serdes[topic]

    def _log(self, topic: str) -> list[StoredRecord]:
        if topic not in self._serdes:
            raise ValueError(
                f'the app "{self._plan.app_id}" neither reads nor writes the topic "{topic}"; '
                f"its topics: {', '.join(self._serdes)}."
            )
        return self._topics[topic].log

    def _decode(self, record: StoredRecord) -> Record:
        key_serde, value_serde = self._serdes[record.tp.topic]
        return Record(
            *record.tp,
            record.offset,
            None if key_serde is None or record.key is None else key_serde.deserialize(record.key),
            None if record.value is None else value_serde.deserialize(record.value),
            record.timestamp_ms,
            list(record.headers or ()),
        )


def _encode(topic: str, what: str, serde: Serde[Any] | None, given: object) -> bytes | None:
    if given is None:
        return None
    if serde is None:
        raise TypeError(f'the topic "{topic}" has no key, got {given!r}: declare it with key=, or send without.')
    try:
        return serde.serialize(given)
    except SerdeError as error:
        raise TypeError(f'the {what} {given!r} cannot be sent to the topic "{topic}": {error}') from error
