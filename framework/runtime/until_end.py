"""`run --until-end`: up to the end offsets of the moment it started, then final windows, then exit 0.

How it works. Sub-topologies are done in levels: first those that read the user's topics alone, then those that read
what these write to repartition topics, and so on. The ends of the user's topics are taken at the start; those of
repartition topics when the level before is done, since nothing is added to them afterwards. A task whose inputs have
all been read up to their ends lets its steps know that nothing follows, and commits, in the same transaction as what
came out, its offsets with a mark. The marks tell every worker how far the whole group is; so each ends when all is
done, whoever did it, and a task that moved or a worker that died are no special case.

Sub-topologies that feed each other in a circle are one level. Their topics grow while they are read, so the ends are
taken again at each look: offsets first, ends second. If all that was in the topics then had been read before, nobody is
left to write. Only after that are the steps told that nothing follows; a first mark says that a task got so far.

Ends are those that a reader of committed records sees. They count the markers of transactions, so the offset of a
partition's end event is compared, not that of the last record.
"""

import logging
from collections.abc import Sequence
from typing import Any

from framework.errors import StreamError
from framework.plan.levels import levels
from framework.plan.partitions import Layout
from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.clock import monotonic_ms
from framework.runtime.task import Mark, Task

log = logging.getLogger("penstock.worker")

_CALL_TIMEOUT_S = 10.0
_LOOK_EVERY_MS = 100
_TELL_EVERY_MS = 10_000
_TELL_PLACES = 5


class UntilEnd:
    """Knows how far the group must read, and how far it is.

    `ends` are the offsets to read to, of the levels begun so far; `limits` those of them that nothing is to be read
    beyond, since others may write there; `may_finish` says that the steps of the current level
    may be told that nothing follows.

    Args:
        layout: the plan on its topics.
        consumer: the member of the group, asked for offsets.
    """

    def __init__(self, layout: Layout, consumer: kafka.Consumer) -> None:
        self._layout, self._consumer = layout, consumer
        self._levels = levels(layout.plan, [topic.name for topic in layout.plan.repartition_topics()])
        self._level = -1
        self._last_look_ms = 0
        self._last_told_ms = monotonic_ms()
        self.ends: dict[TopicPartition, int] = {}
        self.may_finish = False
        self._begin_next()
        user_topics = {topic.name for topic in layout.plan.topics}
        self.limits = {tp: end for tp, end in self.ends.items() if tp.topic in user_topics}

    @property
    def is_done(self) -> bool:
        """True if all that there was at the start has been processed, by whomever."""
        return self._level == len(self._levels)

    def look(self, now_ms: int) -> None:
        """See how far the group is; not more often than is useful."""
        if self.is_done or now_ms - self._last_look_ms < _LOOK_EVERY_MS:
            return
        self._last_look_ms = now_ms
        while not self.is_done and self._is_reached():
            if self.may_finish:
                self._begin_next()
            else:
                self.may_finish = True

    def work_on(self, task: Task) -> bool:
        """Let a task that has read to its ends go as far as it may; False if it is there already."""
        ends = {tp: self.ends[tp] for tp in self._layout.inputs(task.id)}
        is_there = all(task.committed_offsets.get(tp, 0) >= end for tp, end in ends.items())
        if self.may_finish and not (is_there and task.mark is Mark.DONE):
            task.finish(ends)
            log.info("task %s has read all there was at the start", task.id)
        elif not self.may_finish and not (is_there and task.mark):
            task.rest(ends)
        else:
            return False
        return True

    def _begin_next(self) -> None:
        self._level += 1
        if not self.is_done:
            groups = self._levels[self._level]
            self._circular = frozenset[str]().union(*(group.between for group in groups))
            self.may_finish = not self._circular
            self._take_ends(self._inputs())

    def _take_ends(self, inputs: Sequence[TopicPartition]) -> None:
        for tp in inputs:
            place = kafka.TopicPartition(*tp)
            # Reason: the broker does not lead the partitions of a topic that was made just now.
            _, self.ends[tp] = kafka.insisting(
                f"find the end of {tp}",
                lambda p=place: self._consumer.get_watermark_offsets(p, timeout=_CALL_TIMEOUT_S),
                within_s=_CALL_TIMEOUT_S,
            )

    def _inputs(self) -> list[TopicPartition]:
        subs = {sub.index for group in self._levels[self._level] for sub in group.subs}
        return [tp for task in self._layout.tasks() if task.sub_topology in subs for tp in self._layout.inputs(task)]

    def _is_reached(self) -> bool:
        """True if all tasks of the level have committed the mark that is waited for, at the ends."""
        inputs = self._inputs()
        try:
            found: Any = kafka.calling(
                "ask for committed offsets",
                self._consumer.committed,
                [kafka.TopicPartition(*tp) for tp in inputs],
                _CALL_TIMEOUT_S,
            )
            self._take_ends([tp for tp in inputs if tp.topic in self._circular])
        except StreamError as error:
            log.info("%s; asking again", error)
            return False
        marks = (Mark.DONE,) if self.may_finish else (Mark.READ, Mark.DONE)
        behind = [
            f"{place.topic}-{place.partition} at {place.offset} of {end}"
            for place in found
            if (end := self.ends[TopicPartition(place.topic, place.partition)]) > place.offset
            or place.error is not None
            or place.metadata not in marks
        ]
        self._tell(behind)
        return not behind

    def _tell(self, behind: Sequence[str]) -> None:
        """Say now and then what is waited for."""
        if behind and monotonic_ms() - self._last_told_ms > _TELL_EVERY_MS:
            self._last_told_ms = monotonic_ms()
            more = f" and {len(behind) - _TELL_PLACES} more" if len(behind) > _TELL_PLACES else ""
            log.info("until the end: waiting for %s%s", ", ".join(behind[:_TELL_PLACES]), more)
