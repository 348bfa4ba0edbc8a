"""What is processed: clickstream events, keyed by user, one millisecond of event time apart; and the types of the jobs.

The events are the same in every run: they come from one seed.
"""

import random
from collections import Counter
from collections.abc import Iterator

import msgspec

from framework.runtime import kafka

FIRST_TIMESTAMP_MS = 1_700_000_000_000
USERS = 10_000
PARTITIONS = 4
VAT = 0.2
WINDOW_MS, GRACE_MS = 10_000, 1_000


class Event(msgspec.Struct):
    """A click that may cost something."""

    user: str
    page: str
    amount: float
    country: str
    ts: int


class Taxed(msgspec.Struct):
    """The event with its tax."""

    user: str
    page: str
    amount: float
    country: str
    ts: int
    vat: float


def is_charge(event: Event) -> bool:
    return event.amount >= 0


def amount_of(event: Event) -> float:
    return event.amount


def add_vat(event: Event) -> Taxed:
    return Taxed(event.user, event.page, event.amount, event.country, event.ts, event.amount * VAT)


def events(count: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Key, value and timestamp (ms) of each event."""
    dice = random.Random(7)
    countries = [b"de", b"us", b"fr", b"cn"]
    for timestamp in range(FIRST_TIMESTAMP_MS, FIRST_TIMESTAMP_MS + count):
        user = b"u%d" % dice.randrange(USERS)
        value = b'{"user":"%s","page":"/p/%d","amount":%.2f,"country":"%s","ts":%d}' % (
            user, dice.randrange(500), dice.random() * 100, dice.choice(countries), timestamp,
        )  # fmt: skip
        yield user, value, timestamp


def create_topic(bootstrap: str, name: str) -> None:
    """A topic that keeps its records for ever; event times of the past would otherwise be deleted within minutes."""
    admin = kafka.create_admin({"bootstrap.servers": bootstrap})
    topic = kafka.NewTopic(name, PARTITIONS, 1, config={"retention.ms": "-1"})
    admin.create_topics([topic])[name].result(30)


def load(bootstrap: str, topic: str, count: int) -> Counter[bytes]:
    """Write the events to a new topic; how many each user has."""
    create_topic(bootstrap, topic)
    producer = kafka.create_producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "lz4", "batch.num.messages": 20_000,
         "queue.buffering.max.messages": 1_000_000, "partitioner": "murmur2_random"}
    )  # fmt: skip
    per_user: Counter[bytes] = Counter()
    for user, value, timestamp in events(count):
        per_user[user] += 1
        try:
            producer.produce(topic, value, user, timestamp=timestamp)
        except BufferError:
            producer.flush()
            producer.produce(topic, value, user, timestamp=timestamp)
    producer.flush()
    return per_user
