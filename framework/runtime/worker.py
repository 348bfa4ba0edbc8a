"""One member of the consumer group: polls, runs its tasks, commits them together.

Everything happens on one thread. The rebalance callbacks run inside `poll`; they never meet a chunk half done. Which
tasks there are, and what becomes of them, is the matter of `assignment.py`.

Invariant: a chunk already taken belongs to an assignment; when its task is gone, so is the chunk.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from framework.config import Settings
from framework.errors import (
    AbortableError,
    ClientLost,
    LocalStateError,
    RecordError,
    StreamError,
    TimeError,
)
from framework.naming import transactional_ids
from framework.operators import StepFailed
from framework.plan.partitions import Layout
from framework.plan.plan import StorePlan
from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.assignment import Assignment
from framework.runtime.clock import monotonic_ms, wall_clock_ms
from framework.runtime.commit import CommitPolicy
from framework.runtime.continuous import Continuous
from framework.runtime.failpoints import failpoint
from framework.runtime.idle import stream_times_to_follow
from framework.runtime.intake import Intake
from framework.runtime.periodic import PeriodicCalls
from framework.runtime.purge import Purge
from framework.runtime.task import Task
from framework.runtime.transaction import Transaction
from framework.runtime.until_end import UntilEnd
from state import ChangelogBatch, StateError, StateFolder

log = logging.getLogger("penstock.worker")

_IDLE_POLL_S = 0.1
_RESTORING_POLL_S = 0.005
_DRAINED_POLL_S = 0.0
_TIMED_POLL_S = 0.01
_TICK_MS = 10
_FIRST_BACK_OFF_S = 0.01
_LONGEST_BACK_OFF_S = 1.0


class Worker:
    """Runs the tasks that the group gives it.

    Args:
        layout: the plan on the topics as they are.
        settings: see `config.py`.
        identity: name of this worker, unique in the group; folder, transactional ids and, if static, membership.
        is_static: the identity outlives the process, so that a restart keeps its tasks.
        state_folder: held by this process.
    """

    def __init__(
        self, layout: Layout, settings: Settings, *, identity: str, is_static: bool, state_folder: StateFolder
    ) -> None:
        self._layout, self._settings = layout, settings
        group = layout.plan.app_id
        inputs = sorted({topic for sub in layout.plan.sub_topologies for topic in sub.topics})
        self._consumer = kafka.group_consumer(
            settings,
            group,
            f"{group}-{identity}" if is_static else None,
            partitions=sum(layout.partitions[topic] for topic in inputs),
            tells_ends=settings.until_end or any(len(sub.topics) > 1 for sub in layout.plan.sub_topologies),
        )
        self._is_continuous = settings.mode == "continuous"
        self._transactional_ids = transactional_ids(group, identity)
        self._transaction = self._new_transaction()
        self._policy = CommitPolicy(settings.commit_interval, settings.max_uncommitted_keys)
        self._intake = Intake(
            self._consumer,
            inputs,
            chunk_records=settings.chunk_records,
            max_idle_ms=layout.plan.max_idle_ms,
        )
        self._until_end = UntilEnd(layout, self._consumer) if settings.until_end else None
        self._periodic = PeriodicCalls(layout.plan.periodic, wall_clock_ms())
        self._idle_timeout_ms = layout.plan.idle_timeout_ms
        self._last_tick_ms = 0
        self._assignment = Assignment(layout, settings, state_folder, self._consumer, self._intake)
        self._purge = Purge(lambda: kafka.admin_client(settings))
        self._last_commit_ms = 0.0
        self._back_off_s = _FIRST_BACK_OFF_S
        self._is_stopping = False
        self.records = 0

    @property
    def _has_clocks(self) -> bool:
        return any(
            task.is_wall_clocked or (self._idle_timeout_ms and task.is_event_timed) for task in self._assignment.tasks
        )

    def _new_transaction(self) -> Transaction | Continuous:
        if self._is_continuous:
            return Continuous(self._settings, self._consumer)
        return Transaction(*(kafka.transactional_producer(self._settings, name) for name in self._transactional_ids))

    def stop(self) -> None:
        """Let `run` commit and return; may be called from a signal handler."""
        self._is_stopping = True

    def run(self) -> None:
        """Work until `stop`.

        Raises:
            RecordError: a record cannot be processed; everything before it is committed.
            LocalStateError: a store cannot be read or written; the changelog holds what was committed.
            FatalError: the process cannot go on; nothing uncommitted was kept.
        """
        leads = self._assignment.lead_topics
        try:
            self._assignment.global_tables.load(lambda: self._is_stopping)
            self._consumer.subscribe(leads, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)
            while not self._is_stopping:
                self._turn()
            if self._transaction.is_open and self._guarded(self._commit):
                log.info("committed at shutdown")
        except StateError as error:
            raise LocalStateError(str(error)) from error
        finally:
            self._close()

    # One turn of the loop

    def _turn(self) -> None:
        self._assignment.open_tasks()
        messages = self._intake.poll(self._poll_timeout_s())
        self._assignment.global_tables.follow()
        now_ms = wall_clock_ms()
        if messages or self._intake.is_waiting:
            self._guarded(lambda: self._process(messages, now_ms))
        if self._has_clocks:
            self._guarded(lambda: self._pass_time(now_ms))
        self._guarded(lambda: self._periodic.run_due(now_ms))
        if self._until_end is not None:
            self._guarded(lambda: self._finish_tasks(now_ms))
        if self._transaction.is_open and ((not messages and not self._is_continuous) or self._is_commit_due()):
            self._guarded(self._commit)
        self._purge.step(monotonic_ms())
        started = self._assignment.advance_restores()
        if any(task.is_touched for task in started):
            # Reason: what a task took over from an earlier version is committed without waiting for a record.
            self._guarded(self._begin)

    def _poll_timeout_s(self) -> float:
        if self._assignment.is_restoring:
            return _RESTORING_POLL_S
        if self._transaction.is_open:
            return self._until_commit_s() if self._is_continuous else _DRAINED_POLL_S
        if self._intake.is_waiting or self._has_clocks:
            return _TIMED_POLL_S
        wait_ms = self._periodic.wait_ms(wall_clock_ms())
        return _IDLE_POLL_S if wait_ms is None else min(_IDLE_POLL_S, wait_ms / 1000)

    def _until_commit_s(self) -> float:
        until_s = (self._last_commit_ms + self._settings.commit_interval - monotonic_ms()) / 1000
        return min(max(0.0, until_s), _TIMED_POLL_S if self._has_clocks else _IDLE_POLL_S)

    def _process(self, messages: Sequence[kafka.Message], now_ms: int) -> None:
        for task, batch in self._intake.chunks(messages, now_ms):
            self._begin()
            try:
                task.process_batch(batch)
                if self._is_continuous and not task.is_careful:
                    self._flush(task)
            finally:
                self._write_outputs(task)
            self.records += sum(len(records) for _, records, _ in batch)
        failpoint("after-chunk")

    def _write_outputs(self, task: Task) -> None:
        for output in task.take_outputs():
            self._transaction.write(output)

    def _pass_time(self, now_ms: int) -> None:
        """Tell the tasks the time of day, and those whose inputs are idle the stream time of their peers."""
        if now_ms - self._last_tick_ms < _TICK_MS:
            return
        self._last_tick_ms = now_ms
        running = self._assignment.running
        seen_ms = {task: self._intake.idle_since_ms(task) for task in running} if self._idle_timeout_ms else {}
        reached_ms = stream_times_to_follow(seen_ms, now_ms, self._idle_timeout_ms)
        for task in running:
            if task.is_wall_clocked:
                task.tick(now_ms)
            if task in reached_ms:
                task.advance(reached_ms[task])
            if task.is_touched:
                self._begin()
                self._write_outputs(task)

    def _finish_tasks(self, now_ms: int) -> None:
        """End the tasks that have read all there was at the start; end the worker when the whole group has."""
        assert self._until_end is not None
        self._until_end.look(now_ms)
        self._intake.ends, self._intake.limits = self._until_end.ends, self._until_end.limits
        for task in self._assignment.running:
            if self._intake.has_all(task) and self._until_end.work_on(task):
                self._begin()
                self._write_outputs(task)
        self._is_stopping = self._is_stopping or self._until_end.is_done

    def _begin(self) -> None:
        if not self._transaction.is_open:
            self._transaction.begin()
            self._last_commit_ms = monotonic_ms()

    def _is_commit_due(self) -> bool:
        return self._policy.is_due(
            now_ms=monotonic_ms(),
            last_ms=self._last_commit_ms,
            changed_keys=sum(task.state.uncommitted_count for task in self._assignment.tasks),
        )

    # The commit

    def _commit(self) -> None:
        if not self._transaction.is_open:
            return
        tasks = [task for task in self._assignment.tasks if task.is_touched]
        waiting: list[tuple[Task, list[StorePlan], dict[str, int]]] = []
        for task in tasks:
            if not task.is_careful:
                self._flush(task)
            self._write_outputs(task)
        for task in tasks:
            positions: dict[str, int] = {}
            batches = self._changelog(task)
            changed = [store for store in task.sub.stores if store.name in batches]
            for store in changed:
                self._transaction.write_changelog(store.changelog, task.id.partition, batches[store.name], positions)
            waiting.append((task, changed, positions))
        # Reason: by its offsets the broker knows a worker that lost its tasks; a commit without new ones sends the old.
        offsets = {
            tp: (offset, task.mark.value)
            for task in tasks
            for tp, offset in (task.next_offsets or task.committed_offsets).items()
        }
        self._transaction.commit(offsets, self._membership)
        for task, changed, positions in waiting:
            task.commit({store.name: positions[store.changelog] for store in changed})
            for store in changed:
                if store.spec.forgets:
                    tp = TopicPartition(store.changelog, task.id.partition)
                    self._purge.note(tp, task.state.dead_before(store.name))
        self._last_commit_ms = monotonic_ms()
        self._back_off_s = _FIRST_BACK_OFF_S

    def _membership(self) -> Any:
        """What makes the broker refuse the offsets of a worker whose tasks have moved.

        Trap: the client learns in the background that it is no member any more. Its metadata then name no member, and
        the broker takes transactional offsets that name none without a check.
        """
        metadata = self._consumer.consumer_group_metadata()
        if not self._consumer.memberid():
            raise AbortableError("this worker is not a member of the group any more")
        return metadata

    def _flush(self, task: Task) -> None:
        try:
            task.flush()
        except StepFailed as error:
            raise _retried_with_care(task, error) from error

    def _changelog(self, task: Task) -> dict[str, ChangelogBatch]:
        try:
            return task.changelog()
        except StepFailed as error:
            raise _retried_with_care(task, error) from error

    def _guarded(self, work: Callable[[], None]) -> bool:
        """Do it; if the transaction is lost by it, drop what it did, to read it again. False: it is lost."""
        try:
            try:
                work()
            except (RecordError, TimeError):
                self._commit()
                raise
        except (AbortableError, ClientLost) as error:
            self._abort(error)
            return False
        return True

    def _abort(self, error: StreamError) -> None:
        """Drop the open transaction; every task reads again from where the broker says."""
        self._reset(error)
        self._assignment.restart()
        time.sleep(self._back_off_s)
        self._back_off_s = min(2 * self._back_off_s, _LONGEST_BACK_OFF_S)

    def _reset(self, error: StreamError) -> None:
        """Have no transaction open and a producer that can begin one."""
        log.warning("the transaction is aborted and done again: %s", error)
        is_lost = isinstance(error, ClientLost)
        try:
            self._drop_transaction()
        except ClientLost:
            is_lost = True
        if is_lost:
            # Reason: a producer that was silent for too long finds its transaction aborted and its epoch outdated, as
            # if another process had its identity; it cannot tell which. In the second case the group tells this
            # worker's consumer so, which ends the process.
            self._transaction = self._new_transaction()

    def _drop_transaction(self) -> None:
        for task in self._assignment.tasks:
            task.abort()
        if self._transaction.is_open:
            self._transaction.abort()

    # Tasks come and go

    def _on_assign(self, _: kafka.Consumer, partitions: Sequence[kafka.TopicPartition]) -> None:
        self._assignment.add(partitions)
        self._consumer.incremental_assign([])
        failpoint("during-rebalance")

    def _on_revoke(self, _: kafka.Consumer, partitions: Sequence[kafka.TopicPartition]) -> None:
        failpoint("during-rebalance")
        is_committed = True
        try:
            self._commit()
        except (AbortableError, ClientLost) as error:
            self._reset(error)
            is_committed = False
        self._assignment.give_up(partitions, are_others_valid=is_committed)

    def _on_lost(self, _: kafka.Consumer, partitions: Sequence[kafka.TopicPartition]) -> None:
        places = " ".join(f"{p.topic}-{p.partition}" for p in partitions)
        self._reset(AbortableError(f"lost {places}: this worker was silent for too long"))
        self._assignment.give_up(partitions, are_others_valid=False)

    def _close(self) -> None:
        """Leave in order: the open transaction, the group, the stores, the folder."""
        try:
            try:
                self._drop_transaction()
            except StreamError as error:
                log.warning("closing: %s", error)
            # Reason: a dynamic member leaves the group by it, a static one does not; on_revoke closes the tasks.
            self._consumer.close()
        finally:
            self._assignment.close()


def _retried_with_care(task: Task, error: StepFailed) -> AbortableError:
    """A failure that names no record: the same records are run again one by one, until one fails or all are done."""
    task.is_careful = True
    return AbortableError(
        f"task {task.id}: the step {error} failed at the commit ({error.__cause__}); its records are run one by one"
    )
