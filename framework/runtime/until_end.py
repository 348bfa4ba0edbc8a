"""`run --until-end`: up to the end offsets of the moment it started, then final windows, then exit 0.

How it works. Sub-topologies are done in levels: first those that read the user's topics alone, then those that read
what these write to repartition topics, and so on. The ends of the user's topics are taken at the start; those of
repartition topics when the level before is done, since nothing is added to them afterwards. A task whose inputs have
all been read up to their ends lets its steps know that nothing follows, and commits, in the same transaction as what
came out, its offsets with a mark. The marks tell every worker how far the whole group is; so each ends when all is
done, whoever did it, and a task that moved or a worker that died are no special case.

Sub-topologies that ask and answer each other, for a join by a foreign key, are one level, and the ends of the topics
between them are not known when it begins. Its tasks commit how far they have read, markers included, until a look finds
every offset at its end: then no record is left that could cause another, and the ends are taken. Final results may
still ask; so what comes after these ends is processed too, and the other workers find the same, or later ones.

Ends are those that a reader of committed records sees. They count the markers of transactions, so the offset of a
partition's end event is compared, not that of the last record.
"""

import logging
from collections.abc import Mapping

from framework.errors import StreamError
from framework.plan.levels import levels
from framework.plan.partitions import Layout
from framework.records import TaskId, TopicPartition
from framework.runtime import kafka

log = logging.getLogger("penstock.worker")

MARK = "penstock: all read, final results written"
_CALL_TIMEOUT_S = 10.0
_LOOK_EVERY_MS = 100


class UntilEnd:
    """Knows how far the group must read, and how far it is.

    Args:
        layout: the plan on its topics.
        consumer: the member of the group, asked for offsets.
    Attributes:
        ends: of the inputs, as far as they are known.
        asked: topics of which also what comes after the ends is to be processed.
    """

    def __init__(self, layout: Layout, consumer: kafka.Consumer) -> None:
        self._layout, self._consumer = layout, consumer
        self._levels = levels(layout.plan, [topic.name for topic in layout.plan.repartition_topics()])
        self._level = 0
        self.asked = self._asked_within(0)
        self._is_settled = not self.asked
        self._last_look_ms = 0
        self.ends: dict[TopicPartition, int] = {}
        self._take_ends()

    @property
    def is_done(self) -> bool:
        """True if all that there was at the start has been processed, by whomever."""
        return self._level == len(self._levels)

    def look(self, now_ms: int) -> None:
        """See how far the group is; not more often than is useful."""
        if self.is_done or now_ms - self._last_look_ms < _LOOK_EVERY_MS:
            return
        self._last_look_ms = now_ms
        while not self.is_done and (self._is_settled or self._settle()) and self._is_level_done():
            self._level += 1
            if not self.is_done:
                self.asked = self._asked_within(self._level)
                self._is_settled = not self.asked
                self._take_ends()

    def reached(self, task: TaskId, read_to: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The offsets to commit of a task that has done all it was given, to tell the group that it waits for others.

        Args:
            task: the task.
            read_to: how far its inputs are read.
        Returns:
            Nothing where nobody waits for it, as the ends are known.
        """
        if self.is_done or not self.asked or task.sub_topology not in self._subs():
            return {}
        return {tp: offset if tp.topic in self.asked else min(offset, self.ends[tp]) for tp, offset in read_to.items()}

    def _take_ends(self) -> None:
        self.ends.update({tp: self._end_of(tp) for tp in self._inputs() if tp.topic not in self.asked})

    def _end_of(self, tp: TopicPartition) -> int:
        place = kafka.TopicPartition(*tp)
        _, end = kafka.calling(
            f"find the end of {tp}", lambda: self._consumer.get_watermark_offsets(place, timeout=_CALL_TIMEOUT_S)
        )
        return int(end)

    def _subs(self) -> set[int]:
        return {sub.index for sub in self._levels[self._level]}

    def _asked_within(self, level: int) -> set[str]:
        """The topics by which sub-topologies of a level ask and answer each other."""
        subs = self._levels[level]
        return {sink.topic for sub in subs for sink in sub.sinks} & {topic for sub in subs for topic in sub.topics}

    def _inputs(self) -> list[TopicPartition]:
        subs = self._subs()
        return [tp for task in self._layout.tasks() if task.sub_topology in subs for tp in self._layout.inputs(task)]

    def _settle(self) -> bool:
        """Take the ends of the topics between the level's sub-topologies, if nothing is left that could add to them."""
        found = self._committed()
        inputs = self._inputs()
        # Order: offsets before ends; an offset at an end that is found later leaves nothing unread.
        ends = {tp: self._end_of(tp) if tp.topic in self.asked else self.ends[tp] for tp in inputs}
        self._is_settled = all(found.get(tp, (-1, False))[0] >= end for tp, end in ends.items())
        if self._is_settled:
            self.ends.update(ends)
        return self._is_settled

    def _committed(self) -> dict[TopicPartition, tuple[int, bool]]:
        """The committed offset of each input of the level, and whether it is marked; empty if nobody tells."""
        places = [kafka.TopicPartition(*tp) for tp in self._inputs()]
        try:
            found = kafka.calling("ask for committed offsets", self._consumer.committed, places, _CALL_TIMEOUT_S)
        except StreamError as error:
            log.info("%s; asking again", error)
            return {}
        return {
            TopicPartition(place.topic, place.partition): (max(place.offset, 0), place.metadata == MARK)
            for place in found
            if place.error is None
        }

    def _is_level_done(self) -> bool:
        found = self._committed()
        return all(
            is_marked and offset >= self.ends[tp]
            for tp in self._inputs()
            for offset, is_marked in (found.get(tp, (-1, False)),)
        )
