"""Which tasks this worker has: the group gives and takes them, they are opened, restored, started and closed.

Inputs of a task are added to the consumer only when its stores are complete, with the offsets they start from; so
nothing of them is fetched too early, and other tasks go on meanwhile.

Trap: rebalance callbacks run inside `poll`, on the worker's thread; `add` and `give_up` are called from there.
"""

import logging
from collections.abc import Sequence

from framework.config import Settings
from framework.errors import BrokerUnreachable, RetriableError
from framework.plan.partitions import Layout
from framework.records import TaskId, TopicPartition
from framework.runtime import kafka
from framework.runtime.clock import monotonic_ms, wall_clock_ms
from framework.runtime.global_tables import GlobalTables
from framework.runtime.intake import Intake
from framework.runtime.restore import Restorer
from framework.runtime.task import Task, TaskPhase
from state import StateFolder, TaskState
from state.rocksdb import RocksBackend

log = logging.getLogger("penstock.worker")

_GLOBAL = "global"  # a folder beside those of the tasks
_RESTORING_POLL_S = 0.005
_COMMITTED_TIMEOUT_S = 0.3
_QUESTION_PAUSE_MS = 300
# Reason: a compacted topic keeps a deletion for a day (delete.retention.ms); a store that missed one must not go on.
_OLD_MS = 12 * 60 * 60 * 1000


class Assignment:
    """The tasks of one worker.

    Args:
        layout: the plan on the topics as they are.
        settings: see `config.py`.
        folder: held by this process.
        consumer: the member of the group.
        intake: takes records for the tasks that run.
    """

    def __init__(
        self, layout: Layout, settings: Settings, folder: StateFolder, consumer: kafka.Consumer, intake: Intake
    ) -> None:
        self._layout, self._settings, self._folder = layout, settings, folder
        self._consumer, self._intake = consumer, intake
        group = layout.plan.app_id
        self._restorer = Restorer(
            kafka.restore_consumer(settings, group), kafka.end_consumer(settings, group), layout.partitions
        )
        self.global_tables = GlobalTables(
            layout,
            lambda stores: RocksBackend(folder.task_path(_GLOBAL), stores),
            lambda: kafka.restore_consumer(settings, group),
            is_old=self._is_old(_GLOBAL),
        )
        self._leads = {layout.lead(sub): sub for sub in layout.plan.sub_topologies}
        self._tasks: dict[TaskId, Task] = {}
        self._assigned: list[TaskId] = []  # by the group, not opened yet
        self._awaiting_offsets: list[Task] = []
        # Of tasks that will run next; negative: none committed.
        self._starts: dict[Task, dict[TopicPartition, int]] = {}
        self._next_question_ms = 0.0

    @property
    def lead_topics(self) -> list[str]:
        """The topics to subscribe to."""
        return list(self._leads)

    @property
    def tasks(self) -> list[Task]:
        return list(self._tasks.values())

    @property
    def running(self) -> list[Task]:
        """The tasks that take records."""
        return [task for task in self._tasks.values() if task.phase is TaskPhase.RUNNING]

    @property
    def is_restoring(self) -> bool:
        """True while a task is not ready to run."""
        return self._restorer.is_active or bool(self._awaiting_offsets)

    def add(self, partitions: Sequence[kafka.TopicPartition]) -> None:
        """The group gives these partitions of lead topics; `open_tasks` does the rest."""
        self._assigned += self._task_ids(partitions)

    def give_up(self, partitions: Sequence[kafka.TopicPartition], *, are_others_valid: bool) -> None:
        """Close the tasks of these partitions.

        Args:
            partitions: of lead topics.
            are_others_valid: False: the transaction was dropped, so the tasks that stay read again what it had read.
        """
        gone = self._task_ids(partitions)
        self._assigned = [task_id for task_id in self._assigned if task_id not in gone]
        closing = [task for task in self._tasks.values() if task.id in gone]
        staying = [task for task in self._tasks.values() if task.id not in gone and task.phase is TaskPhase.RUNNING]
        # Trap: one call in a callback; the client takes the first as the answer to the rebalance.
        self._unassign(self._intake.detach(closing + ([] if are_others_valid else staying)), is_answer=True)
        for task in closing:
            self._close_task(task)
        if not are_others_valid:
            for task in staying:
                task.enter(TaskPhase.RESTORING)
                self._restorer.start(task)
        log.info("gave up tasks %s", " ".join(map(str, gone)))

    def restart(self) -> None:
        """All running tasks read again from where the broker says."""
        running = self.running
        self._unassign(self._intake.detach(running))
        for task in running:
            task.enter(TaskPhase.RESTORING)
            self._restorer.start(task)

    def open_tasks(self) -> None:
        """Make the tasks that the group has given since, and begin to restore them."""
        assigned, self._assigned = self._assigned, []
        for task_id in assigned:
            sub = self._layout.plan.sub_topologies[task_id.sub_topology]
            specs = [store.spec for store in sub.stores]
            is_old = self._is_old(str(task_id))
            backend = RocksBackend(self._folder.task_path(str(task_id)), [spec.name for spec in specs])
            state = TaskState(specs, backend, self._settings.cache_entries)
            task = Task(task_id, sub, state, global_tables=self.global_tables.stores)
            self._tasks[task_id] = task
            task.enter(TaskPhase.RESTORING)
            self._restorer.start(task, is_old=is_old)
        if assigned:
            log.info("assigned tasks %s", " ".join(map(str, assigned)))

    def advance_restores(self) -> list[Task]:
        """Restore a little, and begin to read for the tasks that are complete; these."""
        started: list[Task] = []
        if self._restorer.is_active:
            restored = self._restorer.step(_RESTORING_POLL_S)
            self._awaiting_offsets += [task for task in restored if task not in self._starts]
            started += self._start_reading([task for task in restored if task in self._starts])
        if self._awaiting_offsets and monotonic_ms() >= self._next_question_ms:
            started += self._ask_for_offsets()
        return started

    def close(self) -> None:
        """Close what is left, and let another process have the folder."""
        for task in self.tasks:
            self._close_task(task)
        self._restorer.close()
        self.global_tables.close()
        self._folder.release()

    # How it is done

    def _is_old(self, folder: str) -> bool:
        """True if stores were left alone for so long that deletions may be gone from their topics."""
        touched_s = self._folder.untouched_since(folder)
        return touched_s is not None and wall_clock_ms() - touched_s * 1000 > _OLD_MS

    def _close_task(self, task: Task) -> None:
        del self._tasks[task.id]
        self._restorer.stop(task)
        if task in self._awaiting_offsets:
            self._awaiting_offsets.remove(task)
        self._starts.pop(task, None)
        task.close()

    def _task_ids(self, partitions: Sequence[kafka.TopicPartition]) -> list[TaskId]:
        return [TaskId(self._leads[p.topic].index, p.partition) for p in partitions]

    def _unassign(self, inputs: Sequence[TopicPartition], *, is_answer: bool = False) -> None:
        if inputs or is_answer:
            self._consumer.incremental_unassign([kafka.TopicPartition(*tp) for tp in inputs])

    def _ask_for_offsets(self) -> list[Task]:
        """Find out where the group has committed; offsets of an open transaction are waited for. What runs by it."""
        tasks = self._awaiting_offsets
        places = [kafka.TopicPartition(*tp) for task in tasks for tp in self._layout.inputs(task.id)]
        try:
            found = kafka.calling("ask for committed offsets", self._consumer.committed, places, _COMMITTED_TIMEOUT_S)
        except (RetriableError, BrokerUnreachable) as error:
            self._ask_later(str(error))
            return []
        if errors := [place.error for place in found if place.error is not None]:
            self._ask_later(str(errors[0]))
            return []
        self._awaiting_offsets = []
        committed = {TopicPartition(place.topic, place.partition): place.offset for place in found}
        complete: list[Task] = []
        for task in tasks:
            starts = self._starts[task] = {tp: committed[tp] for tp in self._layout.inputs(task.id)}
            task.committed_offsets = {tp: max(offset, 0) for tp, offset in starts.items()}
            if self._restorer.catch_up(task, task.committed_offsets):
                complete.append(task)
        return self._start_reading(complete)

    def _start_reading(self, tasks: list[Task]) -> list[Task]:
        """Let these run, from where the group has committed; they are returned."""
        if not tasks:
            return tasks
        starts = {tp: offset for task in tasks for tp, offset in self._starts[task].items()}
        self._consumer.incremental_assign(
            [kafka.TopicPartition(*tp, o if o >= 0 else kafka.OFFSET_BEGINNING) for tp, o in starts.items()]
        )
        for task in tasks:
            task.enter(TaskPhase.RUNNING)
            self._intake.attach(task, list(self._starts.pop(task)), wall_clock_ms())
            self._restorer.take_over(task)
        log.info("running tasks %s", " ".join(str(task.id) for task in tasks))
        return tasks

    def _ask_later(self, reason: str) -> None:
        """The answer may wait for a transaction of an earlier owner; the other tasks have their turn meanwhile."""
        log.info("no committed offsets yet (%s); asking again", reason)
        self._next_question_ms = monotonic_ms() + _QUESTION_PAUSE_MS
