"""A real Kafka in tests: topics of their own, records in and out."""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from framework.broker import EmbeddedKafka
from framework.runtime import kafka

_TIMEOUT_S = 20.0
# Reason: a broker that a test stops is no news; the client would write of it to stderr twenty times a second.
_QUIET = {"log_level": 2}


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it lies in the log; timestamp in ms."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int


class KafkaCluster:
    """What the fixture `kafka` gives: a broker's address and the few things a test does with it."""

    def __init__(self, bootstrap: str, broker: EmbeddedKafka | None = None) -> None:
        self.bootstrap, self.broker = bootstrap, broker
        self._admin = kafka.create_admin({"bootstrap.servers": bootstrap, **_QUIET})
        self._producer = kafka.create_producer(
            {"bootstrap.servers": bootstrap, **_QUIET, "linger.ms": 5, "partitioner": "murmur2_random",
             "queue.buffering.max.messages": 2_000_000}
        )  # fmt: skip

    def topic(self, name: str | None = None, partitions: int = 4, **config: str) -> str:
        """Create a topic that keeps its records for ever; its name, a new one unless given."""
        name = name or f"t-{uuid.uuid4().hex[:12]}"
        settings = {"retention.ms": "-1", **{key.replace("_", "."): value for key, value in config.items()}}
        self._admin.create_topics([kafka.NewTopic(name, partitions, 1, config=settings)])[name].result(_TIMEOUT_S)
        # Reason: a topic is created a moment before the broker shows it.
        deadline = time.monotonic() + _TIMEOUT_S
        while name not in self._admin.list_topics(timeout=_TIMEOUT_S).topics and time.monotonic() < deadline:
            time.sleep(0.005)
        return name

    def delete(self, topic: str) -> None:
        self._admin.delete_topics([topic])[topic].result(_TIMEOUT_S)

    def send(self, topic: str, records: Iterable[tuple[Any, ...]], partition: int = -1) -> None:
        """Write records (key, value[, timestamp in ms]) and wait until they are acknowledged."""
        for key, value, *timestamp in records:
            stamp = timestamp[0] if timestamp else 0
            try:
                self._producer.produce(topic, value, key, partition, None, None, stamp)
            except BufferError:
                self._producer.flush()
                self._producer.produce(topic, value, key, partition, None, None, stamp)
        self._producer.flush()

    def end_offsets(self, topic: str) -> dict[int, int]:
        """The end of each partition, open transactions included."""
        return {partition: end for partition, (_, end) in self._bounds(topic).items()}

    def first_offsets(self, topic: str) -> dict[int, int]:
        """Where each partition begins; what was before is deleted."""
        return {partition: first for partition, (first, _) in self._bounds(topic).items()}

    def _bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        consumer = self._consumer("read_uncommitted")
        partitions = self._admin.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        places = {p: kafka.TopicPartition(topic, p) for p in partitions}
        bounds = {p: consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S) for p, place in places.items()}
        consumer.close()
        return bounds

    def read(self, topic: str, isolation: str = "read_committed") -> list[RawRecord]:
        """All records that a reader sees now, partition by partition in the order of their offsets."""
        consumer = self._consumer(isolation)
        partitions = self._admin.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        consumer.assign([kafka.TopicPartition(topic, p, 0) for p in partitions])
        found: dict[int, list[RawRecord]] = {p: [] for p in partitions}
        ended: set[int] = set()
        while len(ended) < len(found):
            for m in consumer.consume(10_000, 0.05):
                if m.error() is not None:
                    if m.error().code() != kafka.KafkaError._PARTITION_EOF:
                        raise kafka.KafkaException(m.error())
                    ended.add(m.partition())
                    continue
                found[m.partition()].append(
                    RawRecord(topic, m.partition(), m.offset(), m.key(), m.value(), m.timestamp()[1])
                )
        consumer.close()
        return [record for partition in sorted(found) for record in found[partition]]

    def committed(self, group: str, topic: str) -> dict[int, int]:
        """The group's committed offset of each partition; negative: none."""
        consumer = self._consumer("read_committed", group)
        partitions = self._admin.list_topics(topic, timeout=_TIMEOUT_S).topics[topic].partitions
        places = consumer.committed([kafka.TopicPartition(topic, p) for p in partitions], timeout=_TIMEOUT_S)
        consumer.close()
        return {place.partition: place.offset for place in places}

    def _consumer(self, isolation: str, group: str = "penstock-test-reader") -> Any:
        return kafka.create_consumer(
            {"bootstrap.servers": self.bootstrap, **_QUIET, "group.id": group, "isolation.level": isolation,
             "enable.auto.commit": False, "enable.partition.eof": True, "fetch.wait.max.ms": 10,
             "auto.offset.reset": "earliest"}
        )  # fmt: skip
