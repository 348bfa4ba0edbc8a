"""All of a topic as a reader of committed records sees it."""

from collections.abc import Iterator
from typing import Any

from framework.runtime import kafka


def read(bootstrap: str, topic: str) -> Iterator[Any]:
    """The messages up to the end of each partition, in no fixed order of partitions."""
    consumer = kafka.create_consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench-reader", "isolation.level": "read_committed",
         "enable.auto.commit": False, "enable.partition.eof": True, "queued.min.messages": 200_000}
    )  # fmt: skip
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    consumer.assign([kafka.TopicPartition(topic, p, 0) for p in partitions])
    ended = 0
    while ended < len(partitions):
        for message in consumer.consume(10_000, 0.1):
            if message.error() is None:
                yield message
            elif message.error().code() == kafka.KafkaError._PARTITION_EOF:
                ended += 1
            else:
                raise kafka.KafkaException(message.error())
    consumer.close()
