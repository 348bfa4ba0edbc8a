"""One worker's transaction: outputs, changelog records and offsets become visible together or not at all.

The order of a commit is the guarantee: all records written and acknowledged (`flush`), then the offsets with the
group's metadata (which refuses a worker whose tasks have moved), then the commit, then the stores. A successor that
finds such a transaction open finds its changelog records in the log, and waits for it (see `restore.py`).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from framework.errors import AbortableError, FatalError, RetriableError, StreamError
from framework.operators import Output
from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.failpoints import failpoint
from state import ChangelogBatch

_CALL_TIMEOUT_S = 30.0
_ROOM_TIMEOUT_S = 1.0


class Transaction:
    """Begins with the first thing written, ends with `commit` or `abort`."""

    def __init__(self, producer: kafka.Producer) -> None:
        self._producer = producer
        self.is_open = False
        self._call("init transactions", producer.init_transactions, _CALL_TIMEOUT_S)

    def begin(self) -> None:
        """Open it, if it is not."""
        if not self.is_open:
            self._call("begin transaction", self._producer.begin_transaction)
            self.is_open = True

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

    def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]], membership: Callable[[], Any]) -> None:
        """Everything written and these offsets become visible.

        Args:
            offsets: where each input is to be read on, and the mark that is kept with it.
            membership: gives the group's metadata, as they are when the offsets are sent.
        Raises:
            AbortableError: none of it did; call `abort`.
            ClientLost, FatalError: this producer, or the process, cannot go on.
        """
        failpoint("before-flush")
        # Trap: it raises as well, when the client has found out meanwhile that it cannot go on.
        if kafka.calling("send what is written", self._producer.flush, _CALL_TIMEOUT_S) > 0:
            raise AbortableError(f"records were not acknowledged within {_CALL_TIMEOUT_S:.0f} s")
        failpoint("after-changelog")
        places: Sequence[kafka.TopicPartition] = [
            kafka.TopicPartition(tp.topic, tp.partition, offset, mark) for tp, (offset, mark) in offsets.items()
        ]
        send = self._producer.send_offsets_to_transaction
        self._call("send offsets to transaction", send, places, membership(), _CALL_TIMEOUT_S)
        failpoint("after-offsets")
        self._call("commit transaction", self._producer.commit_transaction, _CALL_TIMEOUT_S)
        self.is_open = False
        failpoint("after-commit")

    def abort(self) -> None:
        """Nothing written since `begin` will be seen.

        Raises:
            ClientLost, FatalError: this producer, or the process, cannot go on; the broker aborts what is open.
        """
        try:
            self._call("abort transaction", self._producer.abort_transaction, _CALL_TIMEOUT_S)
        except FatalError as error:
            # Reason: the client may have aborted already; then it refuses a second time, and all is well.
            if ": _STATE: " not in str(error):
                raise
        self.is_open = False

    def _call(self, what: str, call: Any, *arguments: Any) -> None:
        kafka.insisting(what, call, *arguments, within_s=_CALL_TIMEOUT_S)

    def _insist(self, *arguments: Any) -> None:
        """Produce a record for which the client's queue had no room: what it holds must leave first."""
        deadline = time.monotonic() + _CALL_TIMEOUT_S
        while time.monotonic() < deadline:
            kafka.calling("make room", self._producer.flush, _ROOM_TIMEOUT_S)
            try:
                self._producer.produce(*arguments)
            except BufferError:
                continue
            return
        raise AbortableError(f"the client's queue stayed full for {_CALL_TIMEOUT_S:.0f} s: the broker takes nothing")


def _refused(error: kafka.KafkaError, topic: str) -> StreamError:
    """Why the client did not take a record."""
    # Reason: after an error of its own the client refuses records with _STATE, or _FATAL, until it is asked to abort;
    # the abort then tells whether it can go on.
    if error.code() in {kafka.KafkaError._STATE, kafka.KafkaError._FATAL}:
        return AbortableError(f"write to {topic}: the transaction is lost already: {error.str()}")
    translated = kafka.translate(error, f"write to {topic}")
    return AbortableError(str(translated)) if isinstance(translated, RetriableError) else translated
