"""Has the broker delete what is dead of the changelogs of stores that forget by time (theory: `state/log_bound.py`).

Nothing waits for it: the client asks in the background, one request for all partitions, and what the broker answers is
looked at when it is there. Where one fails, the next commit's offset is asked for; meanwhile the log is only longer.

It cannot take anything that is needed: the offset is known with the commit that made it so, and a clock never goes
back, so it holds for every later owner of the task too, also when a worker that has lost the task asks last. A restore
that meets the deletion on its way begins again; one from an old copy of the store finds that its position is not in the
log any more and begins from the log's beginning, which loses nothing: what lies before a bound is dead, in the log and
in any copy of it.
"""

import logging
from collections.abc import Callable
from typing import Any

from framework.records import TopicPartition
from framework.runtime import kafka

log = logging.getLogger("penstock.worker")

_PAUSE_MS = 3_000


class Purge:
    """Notes the offsets before which changelogs are dead, and has the broker follow; the client is made when needed."""

    def __init__(self, new_admin: Callable[[], kafka.AdminClient]) -> None:
        self._new_admin = new_admin
        self._admin: kafka.AdminClient | None = None
        self._dead_before: dict[TopicPartition, int] = {}
        self._asked: dict[TopicPartition, int] = {}  # the broker has done it or is about to
        self._answers: dict[TopicPartition, Any] = {}
        self._next_ms = 0.0

    def note(self, tp: TopicPartition, offset: int) -> None:
        """Nothing of a changelog before this offset is needed any more."""
        self._dead_before[tp] = offset

    def step(self, now_ms: float) -> None:
        """Ask for what is due; never waits.

        Args:
            now_ms: of the clock that never goes back.
        """
        if now_ms < self._next_ms or not all(answer.done() for answer in self._answers.values()):
            return
        self._take_answers()
        due = {tp: o for tp, o in self._dead_before.items() if o > self._asked.get(tp, 0)}
        self._dead_before = {}
        if not due:
            return
        self._next_ms = now_ms + _PAUSE_MS
        places = [kafka.TopicPartition(*tp, offset) for tp, offset in due.items()]
        self._admin = self._admin or self._new_admin()
        try:
            answers = self._admin.delete_records(places)
        except kafka.KafkaException as error:
            log.warning("changelogs are not cut for now: %s", error)
            return
        self._answers = {TopicPartition(place.topic, place.partition): answer for place, answer in answers.items()}
        self._asked.update(due)

    def _take_answers(self) -> None:
        answers, self._answers = self._answers, {}
        for tp, answer in answers.items():
            if (error := answer.exception()) is not None:
                log.warning("%s is not cut before offset %d for now: %s", tp, self._asked.pop(tp), error)
