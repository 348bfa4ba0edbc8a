"""What tasks want written, handed to the client: outputs and changelog records. Common to both modes of running."""

import time
from typing import Any

from framework.errors import AbortableError, RetriableError, StreamError
from framework.operators import Output
from framework.runtime import kafka
from state import ChangelogBatch

CALL_TIMEOUT_S = 30.0
_ROOM_TIMEOUT_S = 1.0


class Writing:
    """A producer; `is_open` from the first thing written to the commit."""

    def __init__(self, producer: kafka.Producer) -> None:
        self._producer = producer
        self.is_open = False

    def write(self, output: Output) -> None:
        """Hand records to the client, which sends them meanwhile.

        Raises:
            AbortableError: the transaction is lost already.
            FatalError: the client refuses a record, for instance because it is too large.
        """
        topic, produce = output.topic, self._producer.produce
        try:
            if output.headers is None:
                rows: Any = zip(output.values, output.keys, output.timestamps, strict=True)
                for value, key, timestamp in rows:
                    try:
                        produce(topic, value, key, -1, None, None, timestamp)
                    except BufferError:
                        self._insist(topic, value, key, -1, None, None, timestamp)
                return
            rows = zip(output.values, output.keys, output.timestamps, output.headers, strict=True)
            for value, key, timestamp, headers in rows:
                try:
                    produce(topic, value, key, -1, None, None, timestamp, headers)
                except BufferError:
                    self._insist(topic, value, key, -1, None, None, timestamp, headers)
        except kafka.KafkaException as error:
            raise _refused(error.args[0], topic) from error

    def write_changelog(self, topic: str, partition: int, batch: ChangelogBatch, learnt: dict[str, int]) -> None:
        """One record per changed key; the offset of the last one is put into `learnt` when it is acknowledged.

        Raises:
            AbortableError, FatalError: as `write`.
        """
        produce, last = self._producer.produce, len(batch.keys) - 1

        def on_delivery(error: Any, message: Any) -> None:
            if error is None:
                learnt[topic] = message.offset()

        rows = zip(batch.keys, batch.values, batch.timestamps, strict=True)
        try:
            for i, (key, value, timestamp) in enumerate(rows):
                # Reason: a callback costs as much as the record; only the last offset is needed, and they ascend.
                # Trap: the fifth argument is the callback; the sixth is another name of it, ignored beside a None.
                arguments = (topic, value, key, partition, on_delivery if i == last else None, None, timestamp)
                try:
                    produce(*arguments)
                except BufferError:
                    self._insist(*arguments)
        except kafka.KafkaException as error:
            raise _refused(error.args[0], topic) from error

    def _flush(self) -> None:
        """All that was written is acknowledged.

        Raises:
            AbortableError: not within the time.
        """
        # Trap: it raises as well, when the client has found out meanwhile that it cannot go on.
        if kafka.calling("send what is written", self._producer.flush, CALL_TIMEOUT_S) > 0:
            raise AbortableError(f"records were not acknowledged within {CALL_TIMEOUT_S:.0f} s")

    def _call(self, what: str, call: Any, *arguments: Any) -> None:
        kafka.insisting(what, call, *arguments, within_s=CALL_TIMEOUT_S)

    def _insist(self, *arguments: Any) -> None:
        """Produce a record for which the client's queue had no room: what it holds must leave first."""
        deadline = time.monotonic() + CALL_TIMEOUT_S
        while time.monotonic() < deadline:
            kafka.calling("make room", self._producer.flush, _ROOM_TIMEOUT_S)
            try:
                self._producer.produce(*arguments)
            except BufferError:
                continue
            return
        raise AbortableError(f"the client's queue stayed full for {CALL_TIMEOUT_S:.0f} s: the broker takes nothing")


def _refused(error: kafka.KafkaError, topic: str) -> StreamError:
    """Why the client did not take a record."""
    # Reason: after an error of its own the client refuses records with _STATE, or _FATAL, until it is asked to abort;
    # the abort then tells whether it can go on.
    if error.code() in {kafka.KafkaError._STATE, kafka.KafkaError._FATAL}:
        return AbortableError(f"write to {topic}: the transaction is lost already: {error.str()}")
    translated = kafka.translate(error, f"write to {topic}")
    return AbortableError(str(translated)) if isinstance(translated, RetriableError) else translated
