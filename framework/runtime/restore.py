"""Brings the stores of assigned tasks up to date from their logs, while other tasks go on.

The rule: the earlier owner may be a zombie whose last transaction already holds its offsets and is still open; it can
commit it after the task has moved. So: take the changelog's end as a reader of uncommitted records sees it; read
committed records until that end is reached, not merely until there is nothing more to read; only then ask for the
committed offsets. The wait ends at the latest when the broker aborts that transaction (`transaction_timeout`).

A store that was never written and has a migration is filled from the changelog of the store of before, which is read to
its end by the same rule, since its last owner may be a zombie of the earlier version.

A store without a changelog, which holds the records of a topic that its task reads, is complete when it holds those
below the committed offset. So it comes second (`catch_up`), when that is known and can change no more.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from framework.plan.plan import StorePlan
from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.failpoints import failpoint
from framework.runtime.runs import by_partition
from framework.runtime.source_log import rows_of_topic
from framework.runtime.taking_over import Rows, keep_latest, pending
from framework.runtime.task import Task

log = logging.getLogger("penstock.restore")

_SLICE_RECORDS = 20_000
_CALL_TIMEOUT_S = 10.0
_GIVE_UP_S = 60.0


@dataclass(slots=True)
class _Part:
    """The stores that are being restored from one log; several may hold the same topic.

    Of a topic (`is_source`) the records below `end_offset` count; a changelog is read to its end, at or after that.
    Of a store of before (`rows`) the latest records are kept, for the migration of the one store.
    """

    task: Task
    stores: list[StorePlan]
    end_offset: int
    rows: Rows | None = None

    @property
    def is_source(self) -> bool:
        return self.stores[0].is_source


@dataclass(slots=True)
class _Progress:
    """One task that is being restored."""

    task: Task
    started: float
    verb: str = "restored"
    waiting: set[TopicPartition] = field(default_factory=set)
    records: int = 0


class Restorer:
    """Owns the restore consumer; `step` does a little at a time. `topics` are those that are there."""

    def __init__(self, reader: kafka.Consumer, ends: kafka.Consumer, topics: Container[str]) -> None:
        self._reader, self._ends, self._topics = reader, ends, topics
        self._parts: dict[TopicPartition, _Part] = {}
        self._active: dict[Task, _Progress] = {}
        self._ready: list[Task] = []
        self._taken_over: dict[Task, list[tuple[StorePlan, Rows]]] = defaultdict(list)
        self._old: set[Task] = set()  # those whose topics may have forgotten deletions that they missed

    @property
    def is_active(self) -> bool:
        return bool(self._active or self._ready)

    def start(self, task: Task, *, is_old: bool = False) -> None:
        """Begin with the changelogs of a task; it is among the results of a later `step`.

        Args:
            task: with its stores open.
            is_old: the stores were left alone for so long that their logs may have forgotten deletions since.
        """
        self._old.discard(task)
        if is_old:
            self._old.add(task)
        self._taken_over.pop(task, None)
        progress = self._active[task] = _Progress(task, time.monotonic())
        for store in task.sub.stores:
            if not store.is_source:
                tp = TopicPartition(store.changelog, task.id.partition)
                self._start_log(progress, tp, [store], is_old=is_old)
        if not progress.waiting:
            self._start_migrations(progress)
        self._finish_if_done(progress)

    def catch_up(self, task: Task, committed: Mapping[TopicPartition, int]) -> bool:
        """Bring the stores that hold topics to the committed offsets, which are those to be read next.

        Returns:
            True if they are there already; else the task is among the results of a later `step`.
        """
        progress = _Progress(task, time.monotonic(), "caught up")
        stores: dict[TopicPartition, list[StorePlan]] = defaultdict(list)
        for store in task.sub.stores:
            if store.is_source:
                stores[TopicPartition(store.changelog, task.id.partition)].append(store)
        for tp, held in stores.items():
            self._start_log(progress, tp, held, is_old=task in self._old, committed=committed[tp])
        self._old.discard(task)
        if progress.waiting:
            self._active[task] = progress
        return not progress.waiting

    def _start_log(
        self,
        progress: _Progress,
        tp: TopicPartition,
        stores: list[StorePlan],
        *,
        is_old: bool = False,
        committed: int | None = None,
    ) -> None:
        """Begin to read a log: a changelog, or with the `committed` offset a topic up to there."""
        task = progress.task
        low, high = self._bounds(tp)
        # Reason: a topic that was deleted and made anew may end before the offset that is committed.
        end = high if committed is None else min(high, committed)
        # Reason: a changelog's last record is followed by its transaction's marker: two before the end is complete.
        missing = 1 if committed is None else 0
        for name in [store.name for store in stores]:
            position = task.state.position(name)
            is_outdated = is_old and position + 1 + missing < end
            if position >= 0 and (is_outdated or not min(low, end) <= position + 1 <= end):
                log.warning(
                    "task %s: the store %s stops at offset %d%s, and %s holds %d to %d: it is restored from there",
                    task.id, name, position, " since long ago" if is_outdated else "", tp, low, end,
                )  # fmt: skip
                task.state.wipe(name)
        first = max(low, min(task.state.position(store.name) for store in stores) + 1)
        # Reason: of a log without records no end is told before the client knows its leader, which may take a second.
        if first >= end:
            return
        self._parts[tp] = _Part(task, stores, end)
        progress.waiting.add(tp)
        self._reader.incremental_assign([kafka.TopicPartition(*tp, first)])

    def take_over(self, task: Task) -> None:
        """Put what was read for migrations into the task's stores.

        Reason: not before the task runs, since it is committed by the next transaction, and only the offsets of a task
        that runs let the broker refuse a worker that has lost it.

        Raises:
            FatalError: a value cannot be converted.
        """
        for store, rows in self._taken_over.pop(task, ()):
            task.take_over(store, rows)

    def _bounds(self, tp: TopicPartition) -> tuple[int, int]:
        """The first offset of a log, and the one after its last record, of whatever transaction."""
        place = kafka.TopicPartition(*tp)
        bounds: tuple[int, int] = kafka.insisting(
            f"find the end of {tp}",
            lambda: self._ends.get_watermark_offsets(place, timeout=_CALL_TIMEOUT_S),
            within_s=_GIVE_UP_S,
        )
        return bounds

    def _start_migrations(self, progress: _Progress) -> None:
        """Begin to read the stores of before for those that were never written."""
        task = progress.task
        for store in task.sub.stores:
            migration = pending(task, store, self._topics)
            if migration is None:
                continue
            tp = TopicPartition(migration.changelog, task.id.partition)
            low, end = self._bounds(tp)
            if low < end:
                self._parts[tp] = _Part(task, [store], end, rows={})
                progress.waiting.add(tp)
                self._reader.incremental_assign([kafka.TopicPartition(*tp, low)])

    def stop(self, task: Task) -> None:
        """Forget a task, which is not ours any more."""
        self._old.discard(task)
        self._taken_over.pop(task, None)
        progress = self._active.pop(task, None)
        if progress is not None:
            self._unassign(progress.waiting)
        if task in self._ready:
            self._ready.remove(task)

    def step(self, timeout_s: float) -> list[Task]:
        """Apply what has come in; wait for it at most so long. Returns the tasks that are complete now."""
        if self._parts:
            first = self._reader.poll(timeout_s)
            if first is not None:
                self._apply([first, *self._reader.consume(_SLICE_RECORDS, 0)])
        ready, self._ready = self._ready, []
        return ready

    def _apply(self, messages: list[kafka.Message]) -> None:
        ended: dict[TopicPartition, int] = {}
        outdated: set[TopicPartition] = set()
        if any(map(kafka.Message.error, messages)):
            messages = [message for message in messages if self._is_record(message, ended, outdated)]
        for tp, records in by_partition(messages).items():
            if tp in self._parts and self._restore(self._parts[tp], records):
                self._finish(tp)
        for tp in outdated & self._parts.keys():
            self._start_again(tp)
        for tp, offset in ended.items():
            # Reason: an end below the true one is that of an open transaction of the earlier owner: wait for it.
            if tp in self._parts and offset >= self._parts[tp].end_offset:
                self._finish(tp)

    def _is_record(
        self, message: kafka.Message, ended: dict[TopicPartition, int], outdated: set[TopicPartition]
    ) -> bool:
        """False: it tells of the log instead, which is noted in `ended` or `outdated`."""
        error = message.error()
        if error is None:
            return True
        tp = TopicPartition(message.topic() or "", message.partition() or 0)
        if error.code() == kafka.KafkaError._PARTITION_EOF:
            ended[tp] = message.offset() or 0
        elif error.code() == kafka.KafkaError._AUTO_OFFSET_RESET:
            outdated.add(tp)
        elif error.fatal() or error.code() in kafka.FINAL_ERRORS:
            raise kafka.translate(error, f"restore from {tp}")
        else:
            log.warning("restore: %s", error.str())
        return False

    def _finish(self, tp: TopicPartition) -> None:
        """All of a log is in its stores."""
        part = self._parts[tp]
        if part.is_source:
            for store in part.stores:
                part.task.state.restore(store.name, [], [], [], part.end_offset - 1)
        elif part.rows is not None:
            self._taken_over[part.task].append((part.stores[0], part.rows))
            log.info("task %s: %s takes over %d rows of %s", part.task.id, part.stores[0].name, len(part.rows), tp)
        self._unassign({tp})
        progress = self._active[part.task]
        progress.waiting.discard(tp)
        if not progress.waiting and not part.is_source and part.rows is None:
            self._start_migrations(progress)
        self._finish_if_done(progress)

    def _start_again(self, tp: TopicPartition) -> None:
        """The log was cut while it was read; its bounds are looked at anew."""
        part = self._parts[tp]
        log.warning("task %s: %s does not hold the next offset any more", part.task.id, tp)
        progress = self._active[part.task]
        self._unassign({tp})
        progress.waiting.discard(tp)
        if part.rows is not None:
            self._start_migrations(progress)
        else:
            self._start_log(progress, tp, part.stores, committed=part.end_offset if part.is_source else None)
        self._finish_if_done(progress)

    def _restore(self, part: _Part, messages: list[kafka.Message]) -> bool:
        """Apply records; True if nothing more can follow."""
        if part.is_source:
            return self._restore_topic(part, messages)
        if part.rows is not None:
            # Reason: a changelog record has a key.
            keep_latest(part.rows, [(m.key(), m.value(), m.timestamp()[1]) for m in messages])  # type: ignore[misc]
            return False
        self._restore_changelog(part, messages)
        return False

    def _restore_topic(self, part: _Part, messages: list[kafka.Message]) -> bool:
        """Apply what each store does not have; True if that was all there is below the end."""
        state, offsets = part.task.state, [m.offset() or 0 for m in messages]
        for store in part.stores:
            position = state.position(store.name)
            wanted = [m for m, o in zip(messages, offsets, strict=True) if position < o < part.end_offset]
            if not wanted:
                continue
            rows = rows_of_topic(
                store.spec, [m.key() for m in wanted], [m.value() for m in wanted], [m.timestamp()[1] for m in wanted]
            )
            state.restore(store.name, *rows, wanted[-1].offset() or 0)
            self._active[part.task].records += len(wanted)
            failpoint("during-restore")
        return offsets[-1] >= part.end_offset - 1

    def _restore_changelog(self, part: _Part, messages: list[kafka.Message]) -> None:
        part.task.state.restore(
            part.stores[0].name,
            list(map(kafka.Message.key, messages)),  # type: ignore[arg-type]  # a changelog record has a key
            list(map(kafka.Message.value, messages)),
            [timestamp for _, timestamp in map(kafka.Message.timestamp, messages)],
            messages[-1].offset() or 0,
        )
        self._active[part.task].records += len(messages)
        failpoint("during-restore")

    def _unassign(self, tps: set[TopicPartition]) -> None:
        for tp in tps:
            del self._parts[tp]
        if tps:
            self._reader.incremental_unassign([kafka.TopicPartition(*tp) for tp in tps])

    def close(self) -> None:
        """Release both consumers."""
        self._reader.close()
        self._ends.close()

    def _finish_if_done(self, progress: _Progress) -> None:
        if progress.waiting:
            return
        del self._active[progress.task]
        self._ready.append(progress.task)
        if progress.task.sub.stores:
            log.info(
                "%s task %s: %d records in %.2f s",
                progress.verb, progress.task.id, progress.records, time.monotonic() - progress.started,
            )  # fmt: skip
