"""Topics whose keys, partitions and sizes of values are chosen, for measurements of how costs grow.

First comes each key once, so that a store that has read so far holds all of them; these records are no part of what is
measured. Then come records of keys drawn at random: `uniform` from all of them, `active` from 1,000 that are active at
the time, which others follow after 50,000 records, so that a transaction changes as many keys however many there are.
"""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from framework.runtime import kafka
from tests.bench.workload import FIRST_TIMESTAMP_MS

ACTIVE, ACTIVE_RECORDS = 1_000, 50_000
_NOISE_BYTES = 1 << 20


@dataclass(frozen=True)
class Point:
    """One topic. `drawn` is "uniform" or "active"; `records` come after each key has come once."""

    keys: int = 10_000
    partitions: int = 4
    value_bytes: int = 100
    records: int = 1_000_000
    drawn: str = "uniform"

    @property
    def total(self) -> int:
        return self.keys + self.records

    def warm(self, partition: int) -> int:
        """How many records of this partition come before those that are measured."""
        return len(range(partition, self.keys, self.partitions))


def load(bootstrap: str, point: Point) -> str:
    """Write a new topic; its name."""
    name = f"grown-{uuid.uuid4().hex[:8]}"
    admin = kafka.create_admin({"bootstrap.servers": bootstrap})
    topic = kafka.NewTopic(name, point.partitions, 1, config={"retention.ms": "-1"})
    admin.create_topics([topic])[name].result(30)
    producer = kafka.create_producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "batch.num.messages": 20_000,
         "queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 1 << 19}
    )  # fmt: skip
    noise = random.Random(3).randbytes(_NOISE_BYTES + point.value_bytes)
    last = _NOISE_BYTES
    for i, number in enumerate(_numbers(point)):
        start = i * 7_919 % last
        arguments = (name, noise[start : start + point.value_bytes], b"user-%08d" % number, number % point.partitions)
        try:
            producer.produce(*arguments, timestamp=FIRST_TIMESTAMP_MS + i)
        except BufferError:
            producer.flush()
            producer.produce(*arguments, timestamp=FIRST_TIMESTAMP_MS + i)
    producer.flush()
    return name


def _numbers(point: Point) -> Iterator[int]:
    """The keys of the records, as numbers."""
    dice = random.Random(17)
    every = list(range(point.keys))
    dice.shuffle(every)
    yield from every
    for first in range(0, point.records, ACTIVE_RECORDS):
        among = dice.sample(range(point.keys), ACTIVE) if point.drawn == "active" else range(point.keys)
        yield from dice.choices(among, k=min(ACTIVE_RECORDS, point.records - first))
