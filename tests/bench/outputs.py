"""What a run wrote, in a form that two systems must agree on before their figures count."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from framework.runtime import kafka


def fingerprint(job: str, bootstrap: str, topic: str) -> object:
    """For map the number of records and a hash of the multiset of (key, value); for the others the final table."""
    records = _read(bootstrap, topic)
    if job == "map":
        number = total = 0
        for message in records:
            number += 1
            total += hash((message.key(), message.value()))
        return number, total
    if job == "window":
        return {message.key(): message.value() for message in records}
    return {message.key(): int.from_bytes(message.value(), "big") for message in records}


def is_right(job: str, found: Any, per_user: Counter[bytes]) -> bool:
    """Whether it is what the input leads to, as far as that can be told without doing the job again."""
    if job == "map":
        return bool(found[0] == per_user.total())
    if job == "window":
        return {key[:-16] for key in found} == set(per_user)
    return bool(found == per_user)


def _read(bootstrap: str, topic: str) -> Iterator[Any]:
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
