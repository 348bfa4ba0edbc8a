"""Brings the stores of assigned tasks up to date from their changelogs, while other tasks go on.

The rule: the earlier owner may be a zombie whose last transaction already holds its offsets and is still open; it can
commit it after the task has moved. So: take the changelog's end as a reader of uncommitted records sees it; read
committed records until that end is reached, not merely until there is nothing more to read; only then ask for the
committed offsets. The wait ends at the latest when the broker aborts that transaction (`transaction_timeout`).
"""

import logging
import time
from collections import defaultdict
from dataclasses import dataclass, field

from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.failpoints import failpoint
from framework.runtime.task import Task

log = logging.getLogger("penstock.restore")

_SLICE_RECORDS = 20_000
_CALL_TIMEOUT_S = 10.0
_GIVE_UP_S = 60.0


@dataclass(slots=True)
class _Part:
    """One store that is being restored."""

    task: Task
    store: str
    end_offset: int


@dataclass(slots=True)
class _Progress:
    """One task that is being restored."""

    task: Task
    started: float
    waiting: set[TopicPartition] = field(default_factory=set)
    records: int = 0


class Restorer:
    """Owns the restore consumer; `step` does a little at a time."""

    def __init__(self, reader: kafka.Consumer, ends: kafka.Consumer) -> None:
        self._reader, self._ends = reader, ends
        self._parts: dict[TopicPartition, _Part] = {}
        self._active: dict[Task, _Progress] = {}
        self._ready: list[Task] = []

    @property
    def is_active(self) -> bool:
        return bool(self._active or self._ready)

    def start(self, task: Task, *, is_old: bool = False) -> None:
        """Begin with a task; it is among the results of a later `step`.

        Args:
            task: with its stores open.
            is_old: the stores were left alone for so long that the changelog may have forgotten deletions since.
        """
        progress = self._active[task] = _Progress(task, time.monotonic())
        for store in task.sub.stores:
            self._start_store(progress, store.name, TopicPartition(store.changelog, task.id.partition), is_old)
        self._finish_if_done(progress)

    def _start_store(self, progress: _Progress, store: str, tp: TopicPartition, is_old: bool) -> None:
        task, place = progress.task, kafka.TopicPartition(*tp)
        low, end = kafka.insisting(
            f"find the end of {tp}",
            lambda: self._ends.get_watermark_offsets(place, timeout=_CALL_TIMEOUT_S),
            within_s=_GIVE_UP_S,
        )
        position = task.state.position(store)
        # Reason: the last record is followed by its transaction's marker, so a store two before the end is complete.
        is_outdated = is_old and position + 2 < end
        if position >= 0 and (is_outdated or not low <= position + 1 <= end):
            log.warning(
                "task %s: the store %s stops at offset %d%s, and %s holds %d to %d: it is restored from there",
                task.id, store, position, " since long ago" if is_outdated else "", tp, low, end,
            )  # fmt: skip
            task.state.wipe(store)
            position = -1
        first = max(position + 1, low)
        self._parts[tp] = _Part(task, store, end)
        progress.waiting.add(tp)
        self._reader.incremental_assign([kafka.TopicPartition(*tp, first)])

    def stop(self, task: Task) -> None:
        """Forget a task, which is not ours any more."""
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
        by_tp: dict[TopicPartition, list[kafka.Message]] = defaultdict(list)
        ended: dict[TopicPartition, int] = {}
        outdated: set[TopicPartition] = set()
        for message in messages:
            tp = TopicPartition(message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is None:
                by_tp[tp].append(message)
            elif error.code() == kafka.KafkaError._PARTITION_EOF:
                ended[tp] = message.offset() or 0
            elif error.code() == kafka.KafkaError._AUTO_OFFSET_RESET:
                outdated.add(tp)
            elif error.fatal() or error.code() in kafka.FINAL_ERRORS:
                raise kafka.translate(error, f"restore from {tp}")
            else:
                log.warning("restore: %s", error.str())
        for tp, records in by_tp.items():
            if tp in self._parts:
                self._restore(self._parts[tp], records)
        for tp in outdated & self._parts.keys():
            self._start_again(tp)
        for tp, offset in ended.items():
            part = self._parts.get(tp)
            # Reason: an end below the true one is that of an open transaction of the earlier owner: wait for it.
            if part is not None and offset >= part.end_offset:
                self._unassign({tp})
                progress = self._active[part.task]
                progress.waiting.discard(tp)
                self._finish_if_done(progress)

    def _start_again(self, tp: TopicPartition) -> None:
        """The log was cut while it was read; its bounds are looked at anew."""
        part = self._parts[tp]
        log.warning("task %s: %s does not hold the next offset any more", part.task.id, tp)
        self._unassign({tp})
        self._start_store(self._active[part.task], part.store, tp, is_old=False)

    def _restore(self, part: _Part, messages: list[kafka.Message]) -> None:
        part.task.state.restore(
            part.store,
            [m.key() for m in messages],  # type: ignore[misc]  # a changelog record has a key
            [m.value() for m in messages],
            [m.timestamp()[1] for m in messages],
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
                "restored task %s: %d records in %.2f s",
                progress.task.id, progress.records, time.monotonic() - progress.started,
            )  # fmt: skip
