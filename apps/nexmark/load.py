"""The events as Kafka holds them, and their topics filled."""

from collections.abc import Iterable, Iterator

from apps.nexmark.model import Auction, Bid, Person
from apps.nexmark.topics import KEEP, PARTITIONS, Names
from framework.runtime import kafka
from serde import for_type

_SETTINGS = {
    "linger.ms": 20, "compression.type": "lz4", "batch.num.messages": 20_000, "queue.buffering.max.messages": 1_000_000,
    "partitioner": "murmur2_random",
}  # fmt: skip
_TIMEOUT_S = 30
EncodedEvent = tuple[str, bytes, bytes, int]


def records(events: Iterable[Person | Auction | Bid], names: Names) -> Iterator[EncodedEvent]:
    """Topic, key, value and timestamp (ms) of each event."""
    places = {Person: names.persons, Auction: names.auctions, Bid: names.bids}
    keys, values = for_type(int).serialize, {kind: for_type(kind).serialize for kind in places}
    for event in events:
        kind = type(event)
        key = event.auction if isinstance(event, Bid) else event.id
        yield places[kind], keys(key), values[kind](event), event.date_time


def create_topics(bootstrap: str, topics: Iterable[str]) -> None:
    """Create topics of the benchmark; those that are there stay as they are."""
    admin = kafka.create_admin({"bootstrap.servers": bootstrap})
    there = admin.list_topics(timeout=_TIMEOUT_S).topics
    new = [kafka.NewTopic(name, PARTITIONS, 1, config=KEEP) for name in topics if name not in there]
    if new:
        for created in admin.create_topics(new).values():
            created.result(_TIMEOUT_S)


def fill(bootstrap: str, names: Names, events: Iterable[Person | Auction | Bid]) -> int:
    """Write events to their topics, which are created if need be; how many there were."""
    create_topics(bootstrap, (names.persons, names.auctions, names.bids))
    producer = kafka.create_producer({"bootstrap.servers": bootstrap, **_SETTINGS})
    count = 0
    for topic, key, value, timestamp in records(events, names):
        try:
            producer.produce(topic, value, key, timestamp=timestamp)
        except BufferError:
            producer.flush()
            producer.produce(topic, value, key, timestamp=timestamp)
        count += 1
    producer.flush()
    return count
