"""All of a topic as a reader of committed records sees it."""

from collections.abc import Iterator
from typing import Any

from framework.runtime import kafka


def read(bootstrap: str, topic: str) -> Iterator[Any]:
    """The messages up to the end of each partition, in no fixed order of partitions."""
    # Trap: a transaction that has been committed is marked as such in its partitions a moment later; until then the end
    # for readers of committed records lies before it, so the end that counts is that of the log.
    ends = _log_ends(bootstrap, topic)
    consumer = kafka.create_consumer({**_settings(bootstrap), "isolation.level": "read_committed"})
    consumer.assign([kafka.TopicPartition(topic, partition, 0) for partition in ends])
    while ends:
        for message in consumer.consume(10_000, 0.1):
            if message.error() is None:
                yield message
            elif message.error().code() != kafka.KafkaError._PARTITION_EOF:
                raise kafka.KafkaException(message.error())
            elif message.offset() >= ends.get(message.partition(), 0):
                ends.pop(message.partition(), None)
    consumer.close()


def _log_ends(bootstrap: str, topic: str) -> dict[int, int]:
    consumer = kafka.create_consumer({**_settings(bootstrap), "isolation.level": "read_uncommitted"})
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    ends = {p: consumer.get_watermark_offsets(kafka.TopicPartition(topic, p), 30)[1] for p in partitions}
    consumer.close()
    return ends


def _settings(bootstrap: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "group.id": "bench-reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "queued.min.messages": 200_000,
    }
