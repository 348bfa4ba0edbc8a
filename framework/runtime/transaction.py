"""One worker's transaction: outputs, changelog records and offsets become visible together or not at all.

The order of a commit is the guarantee: all records written and acknowledged (`flush`), then the offsets with the
group's metadata (which refuses a worker whose tasks have moved), then the commit, then the stores. A successor that
finds such a transaction open finds its changelog records in the log, and waits for it (see `restore.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

from framework.errors import FatalError
from framework.records import TopicPartition
from framework.runtime import kafka
from framework.runtime.failpoints import failpoint
from framework.runtime.writing import CALL_TIMEOUT_S, Writing


class Transaction(Writing):
    """Begins with the first thing written, ends with `commit` or `abort`.

    Args:
        producers: take turns; what they left open in an earlier life is aborted, and that life fenced.
    """

    def __init__(self, *producers: kafka.Producer) -> None:
        super().__init__(producers[0])
        for producer in producers:
            # Reason: one that is not connected yet looks for its coordinator half a second later, another at once.
            self._call("connect", lambda p=producer: p.list_topics(timeout=CALL_TIMEOUT_S))
            self._call("init transactions", producer.init_transactions, CALL_TIMEOUT_S)
        self._in_turn = cycle(producers)

    def begin(self) -> None:
        """Open it, if it is not."""
        if not self.is_open:
            self._producer = next(self._in_turn)
            self._call("begin transaction", self._producer.begin_transaction)
            self.is_open = True

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
        self._flush()
        failpoint("after-changelog")
        places: Sequence[kafka.TopicPartition] = [
            kafka.TopicPartition(tp.topic, tp.partition, offset, mark) for tp, (offset, mark) in offsets.items()
        ]
        send = self._producer.send_offsets_to_transaction
        self._call("send offsets to transaction", send, places, membership(), CALL_TIMEOUT_S)
        failpoint("after-offsets")
        self._call("commit transaction", self._producer.commit_transaction, CALL_TIMEOUT_S)
        self.is_open = False
        failpoint("after-commit")

    def abort(self) -> None:
        """Nothing written since `begin` will be seen.

        Raises:
            ClientLost, FatalError: this producer, or the process, cannot go on; the broker aborts what is open.
        """
        try:
            self._call("abort transaction", self._producer.abort_transaction, CALL_TIMEOUT_S)
        except FatalError as error:
            # Reason: the client may have aborted already; then it refuses a second time, and all is well.
            if ": _STATE: " not in str(error):
                raise
        self.is_open = False
