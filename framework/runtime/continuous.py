"""Running without transactions: outputs leave at once, offsets and store positions are stored at the interval.

At least once: the order of a commit is all records written and acknowledged, then the offsets, then the stores. A crash
before the offsets lets the records since the last commit be processed again, over the state that their changelog
records have left; so results are sent again, and a count may count them twice. Nothing is lost. It is the same program
on the same topics and stores, so a later run may be exactly-once, from where this one has committed.

What is refused only later, such as a record that is too large, is told by a callback; the commit then fails, and
nothing is passed over.
"""

from collections.abc import Callable, Mapping
from typing import Any

from framework.config import Settings
from framework.errors import AbortableError, RetriableError
from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.failpoints import failpoint
from framework.runtime.writing import Writing


class Continuous(Writing):
    """See the module. Begins with the first thing written, ends with `commit` or `abort`, like a transaction."""

    def __init__(self, settings: Settings, consumer: kafka.Consumer) -> None:
        super().__init__(kafka.continuous_producer(settings, self._told))
        self._consumer = consumer
        self._refused: kafka.KafkaError | None = None

    def _told(self, error: kafka.KafkaError | None, _: object) -> None:
        if error is not None and self._refused is None:
            self._refused = error

    def begin(self) -> None:
        """Open it, if it is not."""
        self.is_open = True

    def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]], membership: Callable[[], Any]) -> None:
        """See that everything written has arrived, and commit these offsets.

        Args:
            offsets: where each input is to be read on, and the mark that is kept with it.
            membership: checks that this worker is one of the group.
        Raises:
            AbortableError: what was written may be seen, but its input will be read again; call `abort`.
            FatalError: the client refuses a record for good.
        """
        failpoint("before-flush")
        self._flush()
        if self._refused is not None:
            error, self._refused = self._refused, None
            translated = kafka.translate(error, "write")
            raise AbortableError(str(translated)) if isinstance(translated, RetriableError) else translated
        failpoint("after-changelog")
        membership()
        places = [kafka.TopicPartition(tp.topic, tp.partition, offset, mark) for tp, (offset, mark) in offsets.items()]
        if places:
            self._call("commit offsets", self._commit_offsets, places)
        failpoint("after-offsets")
        self.is_open = False
        failpoint("after-commit")

    def _commit_offsets(self, places: list[kafka.TopicPartition]) -> None:
        try:
            done = self._consumer.commit(offsets=places, asynchronous=False)
        except kafka.KafkaException as error:
            if error.args[0].code() in kafka.NOT_A_MEMBER:
                raise AbortableError(f"this worker is not a member of the group any more: {error}") from error
            raise
        for place in done or ():
            if place.error is not None:
                raise kafka.KafkaException(place.error)

    def abort(self) -> None:
        """Forget that it is open; what was written has left."""
        self._refused = None
        self.is_open = False
