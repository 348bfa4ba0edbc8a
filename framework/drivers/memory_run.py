"""An app that runs on topics in memory, chunk by chunk, with the tasks of production; what `TestDriver` drives."""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from framework.drivers.memory_tasks import MemoryTasks
from framework.drivers.memory_topics import MemoryTopics, StoredRecord, records_of
from framework.dsl import App
from framework.errors import RecordError
from framework.operators import Output, StepFailed
from framework.plan.fingerprint import Fingerprint, check, fingerprints
from framework.plan.partitions import lay_out
from framework.records import TaskId, TopicPartition
from framework.runtime.buffer import Batch, RecordBuffer
from framework.runtime.files import read_encoded
from framework.runtime.idle import stream_times_to_follow
from framework.runtime.task import Task
from state import ChangelogBatch, GlobalState, MemoryBackend


class MemoryRun:
    """The running app.

    Args:
        app: it is not changed.
        chunk: how many records are taken at once.
        partitions: of each topic that was declared without a number.
        seed: cut into chunks and commits by these dice; None: full chunks, a commit after each.
        max_uncommitted_keys: commit when a transaction has changed so many keys.
        cache_entries: decoded entries remembered per store and task.
        folder: of stores on disk; None: they are kept in memory.
        now_ms: the clock at the beginning.
    Raises:
        DeclarationError, TopicError: as at the start of a worker.
    """

    def __init__(
        self,
        app: App,
        *,
        chunk: int,
        partitions: int,
        seed: int | None,
        max_uncommitted_keys: int,
        cache_entries: int,
        folder: Path | None,
        now_ms: int,
    ) -> None:
        self.now_ms = now_ms
        self._chunk, self._max_keys = chunk, max_uncommitted_keys
        self._dice = random.Random(seed) if seed is not None else None
        self._default_partitions = partitions
        self.topics = MemoryTopics({})
        self._fingerprints: dict[str, Fingerprint] = {}
        self.load(app)
        self._opener = MemoryTasks(
            self.topics, folder, cache_entries=cache_entries, every_change=chunk == 1, clock=lambda: self.now_ms
        )
        self.tasks: dict[TaskId, Task] = {}
        self.global_state = GlobalState((), MemoryBackend(()))
        self._committed: dict[TopicPartition, int] = {}
        self._waiting: deque[StoredRecord] = deque()
        self._buffers: dict[TaskId, RecordBuffer] = {}  # of tasks whose inputs wait for each other
        self._outputs: list[Output] = []  # of the open transaction
        self._start()

    def load(self, app: App) -> None:
        """Take the app, or another version of it, from the next start on.

        Raises:
            ProgramChanged: the other version does not fit the state.
        """
        plan = app.plan()
        check(plan, self._fingerprints)
        self._fingerprints.update(fingerprints(plan))
        self.plan = plan
        counts = {topic.name: topic.partitions or self._default_partitions for topic in plan.topics}
        self._layout = lay_out(plan, {**self.topics.partitions(), **counts})
        self.topics.add(self._layout.partitions)
        self.global_specs = {table.name: table.store_spec() for table in plan.global_tables}
        self._inputs = {tp: task for task in self._layout.tasks() for tp in self._layout.inputs(task)}
        self.read_topics = {tp.topic for tp in self._inputs}

    def restart(self, *, keep_state: bool) -> None:
        """Crash and start again, with the disks or without them."""
        self.stop()
        if not keep_state:
            self._opener.lose_disks()
        self._start()

    def stop(self) -> None:
        """Release the stores; the open transaction is gone."""
        self._outputs = []
        for task in self.tasks.values():
            task.close()
        self.tasks = {}

    # Chunks

    def turn(self) -> bool:
        """Handle one chunk of what waits, and commit if that is due; False if nothing waits."""
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

    def drain(self) -> None:
        """Handle everything that waits, and what follows from it, and commit."""
        while True:
            while self.turn():
                pass
            if self._commit() and not self._waiting:
                return

    def arrived(self, record: StoredRecord) -> None:
        """A record was written: whoever reads its topic has it before it."""
        if record.tp.topic in self.global_specs:
            self._apply_globally(record)
        if record.tp.topic in self.read_topics:
            self._waiting.append(record)

    def _process(self, taken: Sequence[StoredRecord]) -> None:
        by_task: dict[TaskId, dict[TopicPartition, list[tuple[int, StoredRecord]]]] = {}
        for place, record in enumerate(taken):
            by_task.setdefault(self._inputs[record.tp], {}).setdefault(record.tp, []).append((place, record))
        for task_id, parts in by_task.items():
            task = self.tasks[task_id]
            self._seen_ms[task_id] = self.now_ms
            batch: Batch = [(tp, records_of([r for _, r in part]), [i for i, _ in part]) for tp, part in parts.items()]
            try:
                task.process_batch(batch)
            except RecordError as error:
                # Reason: a worker would stop here; a test goes on with the record after it.
                task.next_offsets[error.tp] = error.offset + 1
                left = [r for r in taken if r.offset >= self.tasks[self._inputs[r.tp]].next_offsets.get(r.tp, 0)]
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
            self._buffers[task].add(tp, self.tasks[task].timed(tp, records_of(records)))
            self._buffers[task].drained(tp)

    def _process_buffered(self, limit: int) -> bool:
        """Handle the next records of a task whose inputs wait for each other; False if all wait."""
        for task_id, buffer in self._buffers.items():
            batch = buffer.take(limit, self.now_ms)
            if not batch:
                continue
            task = self.tasks[task_id]
            self._seen_ms[task_id] = self.now_ms
            try:
                task.process_batch(batch)
            except RecordError as error:
                task.next_offsets[error.tp] = error.offset + 1
                self._buffers[task_id] = self._empty_buffer(task_id)
                for tp in self._inputs_of(task_id):
                    done = task.next_offsets.get(tp, self._committed.get(tp, 0))
                    self._add_to_buffer(tp, self.topics.after(tp, done))
                raise
            finally:
                self._outputs += task.take_outputs()
            return True
        return False

    # Commits

    def _is_commit_due(self) -> bool:
        if self._dice is None:
            return True
        changed = sum(task.state.uncommitted_count for task in self.tasks.values())
        return changed >= self._max_keys or self._dice.random() < 0.5

    def _commit(self) -> bool:
        """Make everything visible at once; False if a step failed, and the transaction is to be done again."""
        tasks = [task for task in self.tasks.values() if task.is_touched]
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
            self.arrived(self.topics.append(output.topic, *row))

    def _apply_globally(self, record: StoredRecord) -> None:
        topic, partition = record.tp
        self.global_state.apply(
            topic, partition, [record.key], [record.value], [record.timestamp_ms], record.offset + 1
        )

    def _write_changelogs(self, task: Task, changelog: Mapping[str, ChangelogBatch]) -> dict[str, int]:
        """The offset of the last record, by store."""
        positions = {}
        for store in task.sub.stores:
            if store.name in changelog:
                batch = changelog[store.name]
                for row in zip(batch.keys, batch.values, batch.timestamps, strict=True):
                    last = self.topics.append(store.changelog, *row, partition=task.id.partition)
                positions[store.name] = last.offset
        return positions

    def _purge_changelogs(self, task: Task) -> None:
        """Delete what is dead, as a worker has the broker do it."""
        for store in task.sub.stores:
            self.topics.delete_before(
                TopicPartition(store.changelog, task.id.partition), task.state.dead_before(store.name)
            )

    # Times

    def advance(self, duration_ms: int) -> None:
        """Move the clock on; see `TestDriver.advance`."""
        self.drain()
        target_ms = self.now_ms + duration_ms
        while (due_ms := self._next_due_ms()) is not None and due_ms <= target_ms:
            self._reach(max(due_ms, self.now_ms))
        self._reach(target_ms)

    def _next_due_ms(self) -> int | None:
        times = [*self._due_ms.values(), *(task.next_tick_ms() for task in self.tasks.values())]
        if timeout_ms := self.plan.idle_timeout_ms:
            times += [due for seen in self._seen_ms.values() if (due := seen + timeout_ms) > self.now_ms]
        return min((time for time in times if time is not None), default=None)

    def _reach(self, now_ms: int) -> None:
        """Let it be that time: what waits for it happens, and all that follows from it."""
        self.now_ms = now_ms
        while not self._tick():
            pass  # the transaction was lost: what was due is due again
        self.drain()
        for call in self.plan.periodic:
            if self._due_ms[call.name] <= now_ms:
                self._due_ms[call.name] += call.interval_ms
                call.function()

    def _tick(self) -> bool:
        seen_ms = {task: self._seen_ms[task_id] for task_id, task in self.tasks.items()}
        reached_ms = stream_times_to_follow(seen_ms, self.now_ms, self.plan.idle_timeout_ms)
        for task in self.tasks.values():
            if task.is_wall_clocked or task in reached_ms:
                try:
                    if task.is_wall_clocked:
                        task.tick(self.now_ms)
                    if task in reached_ms:
                        task.advance(reached_ms[task])
                finally:
                    self._outputs += task.take_outputs()
        return self._commit()

    # The start

    def _start(self) -> None:
        self._fill_topics()
        self.global_state = GlobalState(tuple(self.global_specs.values()), MemoryBackend(list(self.global_specs)))
        for name in self.global_specs:
            for record in self.topics[name].log:
                self._apply_globally(record)
        self.tasks = self._opener.open(self._layout, self.global_state, self._committed)
        if any(task.is_touched for task in self.tasks.values()):
            # Reason: what was taken over from an earlier version does not wait for a record.
            self._commit()
        self._seen_ms = dict.fromkeys(self.tasks, self.now_ms)
        self._due_ms = {call.name: self.now_ms + call.interval_ms for call in self.plan.periodic}
        self._rewind()

    def _fill_topics(self) -> None:
        for topic in self.plan.source_topics:
            if topic.fill is not None and not self.topics[topic.name].log:
                for key, value, timestamp_ms in read_encoded(topic.fill, topic):
                    self.topics.append(topic.name, key, value, timestamp_ms or self.now_ms)

    def _rewind(self) -> None:
        """Forget the open transaction; everything after the committed offsets waits again."""
        for task in self.tasks.values():
            task.abort()
        self._outputs = []
        waiting = [record for tp in self._inputs for record in self.topics.after(tp, self._committed.get(tp, 0))]
        self._waiting = deque(sorted(waiting, key=lambda record: record.sequence))
        waits = [
            task_id
            for task_id, task in self.tasks.items()
            if task.sub.first_topics or (self.plan.max_idle_ms and len(self._inputs_of(task_id)) > 1)
        ]
        self._buffers = {task: self._empty_buffer(task) for task in waits}

    def _inputs_of(self, task: TaskId) -> list[TopicPartition]:
        return [tp for tp, owner in self._inputs.items() if owner == task]

    def _empty_buffer(self, task: TaskId) -> RecordBuffer:
        buffer = RecordBuffer(self._inputs_of(task), self.plan.max_idle_ms, self.tasks[task].sub.first_topics)
        for tp in self._inputs_of(task):
            buffer.drained(tp)
        return buffer
