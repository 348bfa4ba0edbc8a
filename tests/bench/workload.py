"""What is processed: clickstream events, keyed by user, one ms of event time apart, what goes with them, and its types.

The events are the same in every run: they come from one seed.
"""

import io
import json
import random
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import fastavro
import msgspec

from framework.runtime import kafka

FIRST_TIMESTAMP_MS = 1_700_000_000_000
USERS = 10_000
PARTITIONS = 4
WORDS, WORDS_PER_LINE = 20_000, 10
GAP_MS, WITHIN_MS, IDLE_MS = 5_000, 1_000, 2_000
JOBS = ("map", "map-avro", "count", "window", "window-avro", "words", "sessions", "table", "streams", "class")
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


_FIELDS = [
    {"name": "user", "type": "string"},
    {"name": "page", "type": "string"},
    {"name": "amount", "type": "double"},
    {"name": "country", "type": "string"},
    {"name": "ts", "type": "long"},
]
EVENT_SCHEMA = {"type": "record", "name": "Event", "fields": _FIELDS}
TAXED_SCHEMA = {"type": "record", "name": "Taxed", "fields": [*_FIELDS, {"name": "vat", "type": "double"}]}
EVENT_AVRO, TAXED_AVRO = map(fastavro.parse_schema, (EVENT_SCHEMA, TAXED_SCHEMA))


def is_avro(job: str) -> bool:
    """Whether the values of a job are plain Avro; the job is that of the name before the dash, on JSON."""
    return job.endswith("-avro")


def is_charge(event: Event) -> bool:
    return event.amount >= 0


def amount_of(event: Event) -> float:
    return event.amount


def add_vat(event: Event) -> Taxed:
    return Taxed(event.user, event.page, event.amount, event.country, event.ts, event.amount * VAT)


def page_of_named(event: Event, name: str) -> str:
    return f"{name}:{event.page}"


def page_to_article(event: Event, article: str) -> str:
    return f"{event.page}>{article}"


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


def avro_events(count: int) -> Iterator[tuple[bytes, bytes, int]]:
    """The same, with values in Avro."""
    for key, value, timestamp in events(count):
        data = io.BytesIO()
        fastavro.schemaless_writer(data, EVENT_AVRO, json.loads(value))
        yield key, data.getvalue(), timestamp


def lines(count: int) -> Iterator[tuple[bytes | None, bytes, int]]:
    """Lines of ten words, of which a few are frequent and most are rare; no key."""
    dice = random.Random(11)
    words = [b"w%d" % n for n in range(WORDS)]
    shares = [1 / (n + 10) for n in range(WORDS)]
    for i in range(count):
        yield None, b" ".join(dice.choices(words, shares, k=WORDS_PER_LINE)), FIRST_TIMESTAMP_MS + i


def names() -> Iterator[tuple[bytes, bytes, int]]:
    """The name of each user, told before the first event."""
    for n in range(USERS):
        yield b"u%d" % n, b"name %d" % n, FIRST_TIMESTAMP_MS - 1


def buys(count: int) -> Iterator[tuple[bytes, bytes, int]]:
    """What users buy: one for ten events, in the same time."""
    dice = random.Random(13)
    for timestamp in range(FIRST_TIMESTAMP_MS, FIRST_TIMESTAMP_MS + count, 10):
        yield b"u%d" % dice.randrange(USERS), b"article %d" % dice.randrange(1_000), timestamp


def create_topic(bootstrap: str, name: str, partitions: int = PARTITIONS) -> None:
    """A topic that keeps its records for ever; event times of the past would otherwise be deleted within minutes."""
    admin = kafka.create_admin({"bootstrap.servers": bootstrap})
    topic = kafka.NewTopic(name, partitions, 1, config={"retention.ms": "-1"})
    admin.create_topics([topic])[name].result(30)


@dataclass(frozen=True)
class Inputs:
    """The loaded topics, and how many records the first has."""

    clicks: str
    avro_clicks: str
    lines: str
    names: str
    buys: str
    count: int

    def source(self, job: str) -> str:
        """The topic that a job reads."""
        if is_avro(job):
            return self.avro_clicks
        return self.lines if job == "words" else self.clicks

    def second(self, job: str) -> str:
        """The other topic of a join."""
        return self.names if job == "table" else self.buys

    def records(self, job: str) -> int:
        """How many records a job reads."""
        if job == "words":
            return self.count // WORDS_PER_LINE
        return self.count + {"table": USERS, "streams": -(-self.count // 10)}.get(job, 0)


def load(bootstrap: str, count: int) -> Inputs:
    """Write so many events, and what goes with them, to new topics."""
    tag = uuid.uuid4().hex[:8]
    inputs = Inputs(*(f"{name}-{tag}" for name in ("clicks", "avro-clicks", "lines", "names", "buys")), count)
    fill(bootstrap, inputs.clicks, events(count))
    fill(bootstrap, inputs.avro_clicks, avro_events(count))
    fill(bootstrap, inputs.lines, lines(count // WORDS_PER_LINE))
    fill(bootstrap, inputs.names, names())
    fill(bootstrap, inputs.buys, buys(count))
    return inputs


def fill(bootstrap: str, topic: str, rows: Iterable[tuple[bytes | None, bytes, int]]) -> None:
    """Write rows of key, value and timestamp (ms) to a new topic."""
    create_topic(bootstrap, topic)
    producer = kafka.create_producer(
        {"bootstrap.servers": bootstrap, "linger.ms": 20, "compression.type": "lz4", "batch.num.messages": 20_000,
         "queue.buffering.max.messages": 1_000_000, "partitioner": "murmur2_random"}
    )  # fmt: skip
    for key, value, timestamp in rows:
        try:
            producer.produce(topic, value, key, timestamp=timestamp)
        except BufferError:
            producer.flush()
            producer.produce(topic, value, key, timestamp=timestamp)
    producer.flush()
