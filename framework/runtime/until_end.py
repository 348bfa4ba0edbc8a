"""`run --until-end`: up to the end offsets of the moment it started, then final windows, then exit 0.

How it works. Sub-topologies are done in levels: first those that read the user's topics alone, then those that read
what these write to repartition topics, and so on. The ends of the user's topics are taken at the start; those of
repartition topics when the level before is done, since nothing is added to them afterwards. A task whose inputs have
all been read up to their ends lets its steps know that nothing follows, and commits, in the same transaction as what
came out, its offsets with a mark. The marks tell every worker how far the whole group is; so each ends when all is
done, whoever did it, and a task that moved or a worker that died are no special case.

Ends are those that a reader of committed records sees. They count the markers of transactions, so the offset of a
partition's end event is compared, not that of the last record.
"""

import logging

from framework.errors import StreamError
from framework.plan.levels import levels
from framework.plan.partitions import Layout
from framework.records import TopicPartition
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
    """

    def __init__(self, layout: Layout, consumer: kafka.Consumer) -> None:
        self._layout, self._consumer = layout, consumer
        self._levels = levels(layout.plan, [topic.name for topic in layout.plan.repartition_topics()])
        self._level = 0
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
        while not self.is_done and self._is_level_done():
            self._level += 1
            if not self.is_done:
                self._take_ends()

    def _take_ends(self) -> None:
        for tp in self._inputs():
            place = kafka.TopicPartition(*tp)
            _, self.ends[tp] = kafka.calling(
                f"find the end of {tp}",
                lambda p=place: self._consumer.get_watermark_offsets(p, timeout=_CALL_TIMEOUT_S),
            )

    def _inputs(self) -> list[TopicPartition]:
        subs = {sub.index for sub in self._levels[self._level]}
        return [tp for task in self._layout.tasks() if task.sub_topology in subs for tp in self._layout.inputs(task)]

    def _is_level_done(self) -> bool:
        places = [kafka.TopicPartition(*tp) for tp in self._inputs()]
        try:
            found = kafka.calling("ask for committed offsets", self._consumer.committed, places, _CALL_TIMEOUT_S)
        except StreamError as error:
            log.info("%s; asking again", error)
            return False
        return all(
            place.error is None
            and place.metadata == MARK
            and place.offset >= self.ends[TopicPartition(place.topic, place.partition)]
            for place in found
        )
