"""Global tables of a worker: all partitions of their topics, read by a consumer of their own, in the worker's folder.

They are loaded up to the ends before the worker joins its group, so before the first record is processed, and followed
between chunks from then on. Committed records only; there is no transaction here, as nothing but the place in the topic
follows from reading.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from framework.plan.partitions import Layout
from framework.records import TopicPartition
from framework.runtime import kafka
from state import GlobalState, KeyValueStore
from state.rocksdb import RocksBackend

log = logging.getLogger("penstock.global")

_SLICE_RECORDS = 20_000
_LOADING_POLL_S = 0.1


class GlobalTables:
    """The global tables of a layout, by the names of their topics; without any it does nothing.

    Args:
        layout: the plan on its topics.
        open_backend: opens the folder of the stores, given their names.
        open_consumer: opens a reader of committed records that tells ends.
        is_old: the folder was left alone for so long that deletions may be gone from the topics, so they are read from
            the beginning.
    """

    def __init__(
        self,
        layout: Layout,
        open_backend: Callable[[list[str]], RocksBackend],
        open_consumer: Callable[[], kafka.Consumer],
        *,
        is_old: bool = False,
    ) -> None:
        self._tables = layout.plan.global_tables
        self._partitions = {table.name: layout.partitions[table.name] for table in self._tables}
        self._open_backend, self._open_consumer, self._is_old = open_backend, open_consumer, is_old
        self._state: GlobalState | None = None
        self._consumer: kafka.Consumer | None = None
        self._unread: set[TopicPartition] = set()

    @property
    def stores(self) -> Mapping[str, KeyValueStore[Any]]:
        """For look-ups, by topic."""
        return {} if self._state is None else self._state.stores

    def load(self, is_stopping: Callable[[], bool]) -> None:
        """Open the stores and read up to the ends, unless stopped.

        Raises:
            StateError: the stores cannot be opened or written.
            StreamError: the client cannot go on.
        """
        if not self._tables:
            return
        self._open()
        started, count = time.monotonic(), 0
        while self._unread and not is_stopping():
            count += self._step(_LOADING_POLL_S)
        log.info("loaded global tables: %d records in %.2f s", count, time.monotonic() - started)

    def _open(self) -> None:
        specs = [table.store_spec() for table in self._tables]
        self._state = GlobalState(specs, self._open_backend([spec.name for spec in specs]))
        self._consumer = self._open_consumer()
        for topic, count in self._partitions.items():
            if self._is_old:
                self._state.wipe(topic, count)
            for partition in range(count):
                self._read_from(TopicPartition(topic, partition), self._state.next_offset(topic, partition))

    def follow(self) -> None:
        """Take in what has come since, without waiting.

        Raises:
            StreamError: the client cannot go on.
        """
        if self._consumer is not None:
            self._step(0)

    def close(self) -> None:
        """Release the consumer and the stores."""
        if self._consumer is not None:
            self._consumer.close()
        if self._state is not None:
            self._state.close()

    def _read_from(self, tp: TopicPartition, offset: int | None) -> None:
        assert self._consumer is not None
        place = kafka.OFFSET_BEGINNING if offset is None else offset
        self._consumer.incremental_assign([kafka.TopicPartition(*tp, place)])
        self._unread.add(tp)

    def _step(self, timeout_s: float) -> int:
        assert self._consumer is not None
        first = self._consumer.poll(timeout_s)
        if first is None:
            return 0
        by_tp: dict[TopicPartition, list[kafka.Message]] = defaultdict(list)
        outdated: set[str] = set()
        for message in (first, *self._consumer.consume(_SLICE_RECORDS, 0)):
            tp = TopicPartition(message.topic() or "", message.partition() or 0)
            error = message.error()
            if error is None:
                by_tp[tp].append(message)
            elif error.code() == kafka.KafkaError._PARTITION_EOF:
                self._unread.discard(tp)
            elif error.code() == kafka.KafkaError._AUTO_OFFSET_RESET:
                outdated.add(tp.topic)
            elif error.fatal() or error.code() in kafka.FINAL_ERRORS:
                raise kafka.translate(error, f"read the global table {tp.topic}")
            else:
                log.warning("global tables: %s", error.str())
        for tp, messages in by_tp.items():
            if tp.topic not in outdated:
                self._apply(tp, messages)
        for topic in outdated:
            self._start_again(topic)
        return sum(map(len, by_tp.values()))

    def _apply(self, tp: TopicPartition, messages: list[kafka.Message]) -> None:
        assert self._state is not None
        self._state.apply(
            tp.topic,
            tp.partition,
            [message.key() for message in messages],
            [message.value() for message in messages],
            [message.timestamp()[1] for message in messages],
            (messages[-1].offset() or 0) + 1,
        )

    def _start_again(self, topic: str) -> None:
        """The topic does not hold the next offset any more: rows may have been deleted unseen."""
        assert self._state is not None and self._consumer is not None
        log.warning("the global table %s does not hold the next offset any more: it is read from the beginning", topic)
        self._state.wipe(topic, self._partitions[topic])
        tps = [TopicPartition(topic, partition) for partition in range(self._partitions[topic])]
        self._consumer.incremental_unassign([kafka.TopicPartition(*tp) for tp in tps])
        for tp in tps:
            self._read_from(tp, None)
