"""One sub-topology on one partition: its steps, its stores, and how far it has read.

    created ──▶ restoring ──▶ running ──▶ closed
                    ▲            │
                    └────────────┘  the transaction was aborted: what it did is read again

A task knows no Kafka: the worker and the test driver feed it records and take what it writes.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from framework.errors import FatalError, RecordError, TimeError
from framework.operators import Output, Pipeline, StepFailed
from framework.plan.plan import StorePlan, SubTopology
from framework.records import Records, TaskId, TopicPartition
from framework.runtime.buffer import Batch, one_by_one
from framework.runtime.clock import wall_clock_ms
from state import CLOCK_KEY, ChangelogBatch, KeyValueStore, TaskState, ValueNotStorable
from state.keys import MAX_TIME


class TaskPhase(StrEnum):
    """Where a task is in its life; `LEGAL` says what may follow."""

    CREATED = "created"
    RESTORING = "restoring"
    RUNNING = "running"
    CLOSED = "closed"


LEGAL = {
    TaskPhase.CREATED: {TaskPhase.RESTORING, TaskPhase.CLOSED},
    TaskPhase.RESTORING: {TaskPhase.RUNNING, TaskPhase.RESTORING, TaskPhase.CLOSED},
    TaskPhase.RUNNING: {TaskPhase.RESTORING, TaskPhase.CLOSED},
    TaskPhase.CLOSED: set[TaskPhase](),
}


class Mark(StrEnum):
    """How far a task is on the way to the end of a bounded run; kept with its offsets."""

    NONE = ""
    READ = "penstock: all read"
    DONE = "penstock: all read, final results written"


class Task:
    """See the module.

    `next_offsets` holds, of the open transaction, where each input is to be read on; `committed_offsets` the same of
    the last one. `mark` is kept with them: how far the task is on the way to the end of a bounded run.

    With `every_change` all tables pass every change on, whatever they were declared with. `global_tables` by name are
    those of the worker, for look-ups; `clock` tells the time of day (ms since the epoch), None: the system's.
    """

    def __init__(
        self,
        task_id: TaskId,
        sub: SubTopology,
        state: TaskState,
        *,
        every_change: bool = False,
        global_tables: Mapping[str, KeyValueStore[Any]] | None = None,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self.id, self.sub, self.state = task_id, sub, state
        self.phase = TaskPhase.CREATED
        self.next_offsets: dict[TopicPartition, int] = {}
        self.committed_offsets: dict[TopicPartition, int] = {}
        self.mark = Mark.NONE
        # Reason: a failure while flushing names no record; the same records are then run one by one, each flushed.
        self.is_careful = False
        self._pipeline = Pipeline(
            sub,
            state.stores,
            every_change=every_change,
            global_tables=global_tables,
            partition=task_id.partition,
            clock=clock or wall_clock_ms,
        )
        self._outputs: list[Output] = []
        # Invariant: such a store holds the records of its topic below the committed offset.
        self._source_logs = {
            store.name: TopicPartition(store.changelog, task_id.partition) for store in sub.stores if store.is_source
        }

    def enter(self, phase: TaskPhase) -> None:
        """Go on to another phase."""
        if phase not in LEGAL[self.phase]:
            raise AssertionError(f"task {self.id} cannot go from {self.phase} to {phase}")
        self.phase = phase

    def process(self, tp: TopicPartition, records: Records) -> None:
        """Run records of one partition, all or those before the first that fails.

        Raises:
            RecordError: a record cannot be processed; those before it were, it left nothing behind.
        """
        self.process_batch([(tp, records, range(len(records)))])

    def process_batch(self, batch: Batch) -> None:
        """Run records of several inputs in the order of their places, all or those before the first that fails.

        Raises:
            RecordError: as `process`.
        """
        self.mark = Mark.NONE
        count = sum(len(records) for _, records, _ in batch)
        if not self.is_careful:
            try:
                self._apply(batch)
            except StepFailed:
                if count == 1:
                    raise
            else:
                return
        for tp, record, place in one_by_one(batch):
            if self.is_careful:
                self._apply_with_care(tp, record, place)
            else:
                self._apply([(tp, record, place)])

    def _apply(self, batch: Batch) -> None:
        state, dropped = self.state, dict(self.dropped)
        try:
            newest = self._pipeline.process([(tp.topic, records, order) for tp, records, order in batch])
        except StepFailed as error:
            state.reject()
            self._pipeline.take_outputs()
            self._pipeline.restore_dropped(dropped)
            if sum(len(records) for _, records, _ in batch) == 1:
                tp, records, _ = batch[0]
                raise self._record_error(error, tp, records.offsets[0]) from (error.__cause__ or error)
            raise
        state.stream_time_ms = max(state.stream_time_ms, newest)
        self._keep()
        for tp, records, _ in batch:
            self.next_offsets[tp] = records.offsets[-1] + 1

    def take_over(self, store: StorePlan, rows: Mapping[bytes, tuple[bytes, int]]) -> None:
        """Fill a store with what one of an earlier version held, as changes of the next transaction.

        Args:
            store: with a migration; nothing was ever written to it.
            rows: by key the encoded value and the timestamp (ms) of before.
        Raises:
            FatalError: a value cannot be read, converted or written.
        """
        migration, target = store.migration, self.state.stores[store.name]
        assert migration is not None
        changes: dict[bytes, tuple[Any, int]] = {}
        for key, (data, timestamp) in rows.items():
            if key == CLOCK_KEY:
                target.clock_ms = int(data)
                continue
            try:
                value = migration.convert(migration.value_serde.deserialize(data))
                if value is not None:
                    store.spec.value_serde.serialize(value)
                    changes[key] = (value, timestamp)
            except Exception as error:
                raise FatalError(
                    f'task {self.id}: the migration of "{migration.old}" to "{store.name}" ({migration.origin}) failed '
                    f"at the key {key!r}, value {data!r}: {type(error).__name__}: {error}.\nNothing was written; "
                    "correct the function or its type= and start again."
                ) from error
        target.put_many(changes)
        # Reason: what was known before is no change to tell downstream.
        self.state.settle()

    def timed(self, tp: TopicPartition, records: Records) -> Records:
        """The records with the timestamps that their order goes by; those that have none keep the record's own."""
        return self._pipeline.timed(tp.topic, records)

    def advance(self, stream_time_ms: int) -> None:
        """Stream time has moved on without records.

        Raises:
            TimeError: a step raised; nothing is left of what it did.
        """
        self._apply_time(lambda: self._pipeline.advance(stream_time_ms))
        self.state.stream_time_ms = max(self.state.stream_time_ms, stream_time_ms)

    def finish(self, ends: Mapping[TopicPartition, int]) -> None:
        """Nothing follows: let the steps send what waits for time. `ends` are the offsets that the inputs were read to.

        Raises:
            TimeError: a step raised; nothing is left of what it did.
        """
        self._apply_time(lambda: self._pipeline.advance(MAX_TIME))
        self.rest(ends)
        self.mark = Mark.DONE

    def rest(self, ends: Mapping[TopicPartition, int]) -> None:
        """The inputs were read to these offsets; more may follow."""
        for tp, end in ends.items():
            # Reason: an end that was taken a while ago may have been passed since.
            self.next_offsets[tp] = max(end, self.next_offsets.get(tp, 0), self.committed_offsets.get(tp, 0))
        self.mark = Mark.READ

    def tick(self, now_ms: int) -> None:
        """Let the steps do what they have to do at times of day.

        Raises:
            TimeError: a step raised; nothing is left of what it did.
        """
        self._apply_time(lambda: self._pipeline.tick(now_ms))

    def _apply_time(self, work: Callable[[], None]) -> None:
        dropped = dict(self.dropped)
        try:
            work()
        except StepFailed as error:
            self.state.reject()
            self._pipeline.take_outputs()
            self._pipeline.restore_dropped(dropped)
            raise self.time_error(error) from (error.__cause__ or error)
        self._keep()
        if self.is_careful:
            # Reason: in careful mode the commit does not flush any more.
            try:
                self.flush()
            except StepFailed as error:
                raise self.time_error(error) from (error.__cause__ or error)

    def next_tick_ms(self) -> int | None:
        """The first exact time of day that a step waits for (ms)."""
        return self._pipeline.next_tick_ms()

    def _keep(self) -> None:
        self.state.accept()
        self._outputs += self._pipeline.take_outputs()

    @property
    def is_touched(self) -> bool:
        """True if there is something to commit."""
        return bool(self.next_offsets or self._outputs or self.state.is_changed)

    @property
    def is_event_timed(self) -> bool:
        """True if a step waits for stream time."""
        return self._pipeline.is_event_timed

    @property
    def is_wall_clocked(self) -> bool:
        """True if a step has work at times of day."""
        return self._pipeline.is_wall_clocked

    def _apply_with_care(self, tp: TopicPartition, record: Records, place: Sequence[int]) -> None:
        """Run one record and all that the commit would do with it, so that a failure names it."""
        outputs, stream_time_ms, dropped = len(self._outputs), self.state.stream_time_ms, dict(self.dropped)
        self._apply([(tp, record, place)])
        try:
            self._check_changes()
            self.flush()
        except StepFailed as error:
            self.state.reject_unsettled(stream_time_ms)
            del self._outputs[outputs:]
            self._pipeline.restore_dropped(dropped)
            self.next_offsets[tp] = record.offsets[0]
            raise self._record_error(error, tp, record.offsets[0]) from error.__cause__

    def _check_changes(self) -> None:
        try:
            self.state.check_unsettled()
        except ValueNotStorable as error:
            raise self._failed_store(error) from error.__cause__

    def flush(self) -> None:
        """Send on what the steps kept back.

        Raises:
            StepFailed: a step raised; what the transaction did must be dropped.
        """
        try:
            self._pipeline.flush()
        except StepFailed:
            self._pipeline.take_outputs()
            raise
        self.state.settle()
        self._outputs += self._pipeline.take_outputs()

    def take_outputs(self) -> list[Output]:
        """What the task wants written, which is forgotten here."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def changelog(self) -> dict[str, ChangelogBatch]:
        """What the open transaction changed in each store that has a changelog.

        Raises:
            StepFailed: a value does not fit its store; what the transaction did must be dropped.
        """
        try:
            batches = self.state.changelog()
        except ValueNotStorable as error:
            raise self._failed_store(error) from error.__cause__
        return {name: batch for name, batch in batches.items() if name not in self._source_logs}

    def commit(self, positions: dict[str, int]) -> None:
        """The transaction is committed: write it to the stores.

        Args:
            positions: by store, the offset of its last changelog record.
        """
        read = {name: self.next_offsets[tp] - 1 for name, tp in self._source_logs.items() if tp in self.next_offsets}
        self.state.commit({**positions, **read})
        self.committed_offsets.update(self.next_offsets)
        self.next_offsets, self.is_careful = {}, False

    def abort(self) -> None:
        """Forget the open transaction."""
        self.state.abort()
        self.mark = Mark.NONE
        self.next_offsets, self._outputs = {}, []

    def close(self) -> None:
        """Release the stores; what is not committed is gone."""
        self.enter(TaskPhase.CLOSED)
        self.state.close()

    @property
    def dropped(self) -> dict[tuple[str, str], int]:
        """Dropped records by step and reason."""
        return self._pipeline.dropped

    def _failed_store(self, error: ValueNotStorable) -> StepFailed:
        failed = StepFailed(next(store.node for store in self.sub.stores if store.name == error.store))
        failed.__cause__ = error.__cause__
        return failed

    def time_error(self, error: StepFailed) -> TimeError:
        """What a step that failed between records means to the user."""
        cause = error.__cause__ or error
        return TimeError(
            f'task {self.id}: the step "{error.node.name}" ({error.node.origin}) failed at a time of its own, not at a '
            f"record: {type(cause).__name__}: {cause}.\nThe task stopped; what came before is committed. Correct the "
            "program and start again."
        )

    def _record_error(self, error: Exception, tp: TopicPartition, offset: int) -> RecordError:
        node = error.node if isinstance(error, StepFailed) else None
        cause = error.__cause__ or error
        step = f', step "{node.name}", {node.origin}' if node is not None else ""
        said = str(cause) if type(cause).__module__.startswith("serde") else f"{type(cause).__name__}: {cause}"
        return RecordError(
            f"cannot process {tp} at offset {offset} (task {self.id}{step}): {said.rstrip('.')}.\n"
            "The task stopped before this record; what came before it is committed. Correct the producer or the "
            "program and start again.",
            tp=tp,
            offset=offset,
            task=self.id,
            step=node.name if node is not None else None,
        )
