"""The tasks of an app on topics in memory: opened with their stores, which come back from their changelogs."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from framework.drivers.memory_topics import MemoryTopics, records_of
from framework.plan.partitions import Layout
from framework.plan.plan import StorePlan
from framework.records import TaskId, TopicPartition
from framework.runtime.source_log import rows_of_topic
from framework.runtime.taking_over import Rows, keep_latest, pending
from framework.runtime.task import Task, TaskPhase
from state import BytesBackend, GlobalState, MemoryBackend, TaskState


class MemoryTasks:
    """Opens tasks, and keeps their disks between two lives of the app.

    Args:
        topics: where the changelogs are.
        folder: of stores on disk; None: they are kept in memory.
        cache_entries: decoded entries remembered per store and task.
        every_change: tables emit each change, not the latest of a commit.
        clock: the time of day (ms).
    """

    def __init__(
        self,
        topics: MemoryTopics,
        folder: Path | None,
        *,
        cache_entries: int,
        every_change: bool,
        clock: Callable[[], int],
    ) -> None:
        self._topics, self._folder = topics, folder
        self._cache_entries, self._every_change, self._clock = cache_entries, every_change, clock
        self._backends: dict[TaskId, MemoryBackend] = {}

    def open(
        self, layout: Layout, global_state: GlobalState, committed: Mapping[TopicPartition, int]
    ) -> dict[TaskId, Task]:
        """All tasks, restored; one that took state over from an earlier version has it in its open transaction."""
        return {task_id: self._open(layout, task_id, global_state, committed) for task_id in layout.tasks()}

    def lose_disks(self) -> None:
        """Only the changelogs are left."""
        self._backends.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _open(
        self,
        layout: Layout,
        task_id: TaskId,
        global_state: GlobalState,
        committed: Mapping[TopicPartition, int],
    ) -> Task:
        sub = layout.plan.sub_topologies[task_id.sub_topology]
        specs = [store.spec for store in sub.stores]
        state = TaskState(specs, self._open_backend(task_id, [spec.name for spec in specs]), self._cache_entries)
        task = Task(
            task_id,
            sub,
            state,
            every_change=self._every_change,
            global_tables=global_state.stores,
            clock=self._clock,
        )
        task.enter(TaskPhase.RESTORING)
        for store in sub.stores:
            self._restore(state, store, task_id.partition, committed)
            self._migrate(task, store)
        task.enter(TaskPhase.RUNNING)
        return task

    def _restore(
        self, state: TaskState, store: StorePlan, partition: int, committed: Mapping[TopicPartition, int]
    ) -> None:
        """Bring a store up to date: from its changelog, or from the topic it holds up to the committed offset."""
        tp = TopicPartition(store.changelog, partition)
        missing = self._topics.after(tp, state.position(store.name) + 1)
        if store.is_source:
            missing = [record for record in missing if record.offset < committed.get(tp, 0)]
        if not missing:
            return
        rows = records_of(missing)
        if store.is_source:
            kept = rows_of_topic(store.spec, rows.keys, rows.values, rows.timestamps)
        else:
            kept = [key for key in rows.keys if key is not None], rows.values, rows.timestamps
        state.restore(store.name, *kept, rows.offsets[-1])

    def _migrate(self, task: Task, store: StorePlan) -> None:
        """Fill a store that was never written from that of an earlier version."""
        migration = pending(task, store, self._topics)
        if migration is None:
            return
        rows: Rows = {}
        log = self._topics.after(TopicPartition(migration.changelog, task.id.partition), 0)
        keep_latest(rows, [(r.key, r.value, r.timestamp_ms) for r in log if r.key is not None])
        task.take_over(store, rows)

    def _open_backend(self, task_id: TaskId, stores: Sequence[str]) -> BytesBackend:
        if self._folder is not None:
            from state.rocksdb import RocksBackend

            return RocksBackend(self._folder / str(task_id), stores)
        backend = self._backends.setdefault(task_id, MemoryBackend(()))
        backend.add(stores)
        return backend
