"""The yardstick: a loop written by hand for one job, which is as fast as Python and this client library go.

Why it exists: records per second say more about a machine than about a framework. Whoever needs exactly-once output and
durable state without a framework would write this file; the framework's worth is that they need not, and its price is
the ratio between the two in the same run on the same machine.

It gives what a worker gives: typed decoding, outputs and offsets in one transaction, one changelog record per changed
key and commit, RocksDB that holds committed state and the changelog's position, a commit every 100 ms. It leaves out
what a job that never fails does not notice: restore, tasks that move, error policies, late undo of one record, headers,
timestamps of the state.
"""

import io
import struct
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fastavro
import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

from tests.bench.stopwatch import Figures, Stopwatch
from tests.bench.workload import (
    EVENT_AVRO,
    GRACE_MS,
    TAXED_AVRO,
    VAT,
    WINDOW_MS,
    Event,
    Inputs,
    Taxed,
    create_topic,
    is_avro,
)

COMMIT_INTERVAL_S = 0.1
CHUNK_RECORDS = 10_000
REMEMBERED_KEYS = 100_000
_DOUBLE = struct.Struct(">d")


Decode, Encode = Callable[[bytes], Event], Callable[[Taxed], bytes]


def decode_avro(data: bytes) -> Event:
    return Event(**fastavro.schemaless_reader(io.BytesIO(data), EVENT_AVRO, None))


def encode_avro(taxed: Taxed) -> bytes:
    data = io.BytesIO()
    fastavro.schemaless_writer(data, TAXED_AVRO, msgspec.structs.asdict(taxed))
    return data.getvalue()


def codec(job: str) -> tuple[Decode, Encode]:
    """What reads the events of a job and writes those with tax."""
    if is_avro(job):
        return decode_avro, encode_avro
    return msgspec.json.Decoder(Event).decode, msgspec.json.Encoder().encode


class MapJob:
    """Decode, filter, compute, encode."""

    def __init__(self, producer: Producer, output: str, decode: Decode, encode: Encode) -> None:
        self.produce, self.output, self.decode, self.encode = producer.produce, output, decode, encode

    def process(self, partition: int, messages: list[Any]) -> None:
        produce, output, decode, encode = self.produce, self.output, self.decode, self.encode
        for message, event in zip(messages, [decode(m.value()) for m in messages], strict=True):
            if event.amount >= 0:
                taxed = Taxed(event.user, event.page, event.amount, event.country, event.ts, event.amount * VAT)
                produce(output, encode(taxed), message.key(), timestamp=message.timestamp()[1])

    def write(self) -> None:
        """Everything is written already."""

    def committed(self) -> None:
        """There is no state."""


class Counts:
    """One partition's counts: committed ones on disk, those of recent keys in memory, changed ones apart."""

    def __init__(self, path: Path) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self.db = Rdict(str(path), options=options)
        self.known: dict[bytes, int] = {}
        self.changed: dict[bytes, int] = {}

    def add(self, keys: list[bytes]) -> None:
        known, changed = self.known, self.changed
        for key in keys:
            old = known.get(key)
            if old is None:
                stored = self.db.get(key)
                old = int.from_bytes(stored, "big") if stored else 0
            known[key] = changed[key] = old + 1

    def save(self, encoded: dict[bytes, bytes], position: int) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in encoded.items():
            batch.put(key, value)
        batch.put(b"\0position", position.to_bytes(8, "big"))
        self.db.write(batch)
        self.changed = {}
        if len(self.known) > REMEMBERED_KEYS:
            self.known.clear()


class CountJob:
    """Count per key; the value is not looked at."""

    def __init__(self, producer: Producer, output: str, changelog: str, folder: Path) -> None:
        self.produce, self.output = producer.produce, output
        self.changelog, self.folder = changelog, folder
        self.counts: dict[int, Counts] = {}
        self.encoded: dict[int, dict[bytes, bytes]] = {}
        self.positions: dict[int, int] = {}

    def process(self, partition: int, messages: list[Any]) -> None:
        if partition not in self.counts:
            self.counts[partition] = Counts(self.folder / str(partition))
        self.counts[partition].add([m.key() for m in messages])

    def write(self) -> None:
        produce = self.produce
        for partition, counts in self.counts.items():
            if not counts.changed:
                continue
            encoded = {key: n.to_bytes(8, "big") for key, n in counts.changed.items()}
            self.encoded[partition] = encoded
            for key, value in encoded.items():
                produce(self.output, value, key)
            *most, (key, value) = encoded.items()
            for other_key, other_value in most:
                produce(self.changelog, other_value, other_key, partition)
            produce(self.changelog, value, key, partition, on_delivery=self._learn)

    def _learn(self, _: object, message: Any) -> None:
        self.positions[message.partition()] = message.offset()

    def committed(self) -> None:
        for partition, encoded in self.encoded.items():
            self.counts[partition].save(encoded, self.positions[partition])
        self.encoded = {}


class Sums:
    """One partition's sums by window and key, kept like `Counts`; the store's key is the window's end, then the key."""

    def __init__(self, path: Path, decode: Decode) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        self.db = Rdict(str(path), options=options)
        self.decode = decode
        self.known: dict[tuple[bytes, int], float] = {}
        self.changed: dict[tuple[bytes, int], float] = {}
        self.stream_time = 0

    def add(self, messages: list[Any]) -> None:
        known, changed, stream_time, decode = self.known, self.changed, self.stream_time, self.decode
        for message, event in zip(messages, [decode(m.value()) for m in messages], strict=True):
            timestamp = message.timestamp()[1]
            if timestamp > stream_time:
                stream_time = timestamp
            end = timestamp - timestamp % WINDOW_MS + WINDOW_MS
            if end + GRACE_MS <= stream_time:
                continue
            key = (message.key(), end)
            old = known.get(key)
            if old is None:
                stored = self.db.get(end.to_bytes(8, "big") + key[0])
                old = _DOUBLE.unpack(stored)[0] if stored else 0.0
            known[key] = changed[key] = old + event.amount
        self.stream_time = stream_time

    def save(self, encoded: dict[bytes, bytes], position: int) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in encoded.items():
            batch.put(key, value)
        batch.put(b"\0position", position.to_bytes(8, "big"))
        self.db.write(batch)
        self.changed = {}
        if len(self.known) > REMEMBERED_KEYS:
            self.known.clear()


class WindowJob:
    """Sum per key and window of 10 s."""

    def __init__(self, producer: Producer, output: str, changelog: str, folder: Path, decode: Decode) -> None:
        self.decode = decode
        self.produce, self.output = producer.produce, output
        self.changelog, self.folder = changelog, folder
        self.sums: dict[int, Sums] = {}
        self.encoded: dict[int, dict[bytes, bytes]] = {}
        self.positions: dict[int, int] = {}

    def process(self, partition: int, messages: list[Any]) -> None:
        if partition not in self.sums:
            self.sums[partition] = Sums(self.folder / str(partition), self.decode)
        self.sums[partition].add(messages)

    def write(self) -> None:
        produce = self.produce
        for partition, sums in self.sums.items():
            if not sums.changed:
                continue
            encoded = {}
            for (key, end), value in sums.changed.items():
                end_bytes, data = end.to_bytes(8, "big"), _DOUBLE.pack(value)
                encoded[end_bytes + key] = data
                produce(self.output, data, key + (end - WINDOW_MS).to_bytes(8, "big") + end_bytes)
            self.encoded[partition] = encoded
            *most, (last_key, last_value) = encoded.items()
            for other_key, other_value in most:
                produce(self.changelog, other_value, other_key, partition)
            produce(self.changelog, last_value, last_key, partition, on_delivery=self._learn)

    def _learn(self, _: object, message: Any) -> None:
        self.positions[message.partition()] = message.offset()

    def committed(self) -> None:
        for partition, encoded in self.encoded.items():
            self.sums[partition].save(encoded, self.positions[partition])
        self.encoded = {}


class ReferenceLoop:
    """Poll, process, commit: all of it in sight."""

    def __init__(self, bootstrap: str, topic: str, group: str, watch: Stopwatch) -> None:
        self.topic, self.watch = topic, watch
        self.consumer = Consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
             "enable.auto.commit": False, "isolation.level": "read_committed", "queued.min.messages": 200_000,
             "max.partition.fetch.bytes": 10 << 20}
        )  # fmt: skip
        self.producer = Producer(
            {"bootstrap.servers": bootstrap, "transactional.id": group, "linger.ms": 5, "retry.backoff.ms": 1,
             "queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 1 << 20,
             "batch.num.messages": 50_000, "batch.size": 1_000_000, "partitioner": "murmur2_random"}
        )  # fmt: skip
        self.producer.init_transactions()
        self.consumer.subscribe([topic])
        self.offsets: dict[int, int] = {}

    def run(self, job: MapJob | CountJob | WindowJob) -> Figures:
        done, is_open, committed = 0, False, 0.0
        while done < self.watch.total:
            first = self.consumer.poll(0.1)
            if first is None:
                if is_open:
                    self.commit(job)
                    is_open, committed = False, time.perf_counter()
                continue
            self.watch.start()
            messages = [first, *self.consumer.consume(CHUNK_RECORDS, 0)]
            if not is_open:
                self.producer.begin_transaction()
                is_open, committed = True, committed or time.perf_counter()
            by_partition: dict[int, list[Any]] = defaultdict(list)
            for message in messages:
                by_partition[message.partition()].append(message)
            for partition, part in by_partition.items():
                job.process(partition, part)
                self.offsets[partition] = part[-1].offset() + 1
            done += len(messages)
            self.watch.pass_by(done)
            if time.perf_counter() - committed >= COMMIT_INTERVAL_S:
                self.commit(job)
                is_open, committed = False, time.perf_counter()
        if is_open:
            self.commit(job)
        return self.watch.finish()

    def commit(self, job: MapJob | CountJob | WindowJob) -> None:
        job.write()
        places = [TopicPartition(self.topic, partition, offset) for partition, offset in self.offsets.items()]
        self.producer.send_offsets_to_transaction(places, self.consumer.consumer_group_metadata())
        self.producer.flush()
        self.producer.commit_transaction()
        job.committed()
        self.offsets.clear()


JOBS = ("map", "map-avro", "count", "window", "window-avro")


def run_reference(name: str, bootstrap: str, inputs: Inputs, output: str, watch: Stopwatch) -> Figures:
    """Run the job `name`, one of `JOBS`, over its `watch.total` records into the new topic `output`."""
    group = f"reference-{uuid.uuid4().hex[:8]}"
    create_topic(bootstrap, output)
    with tempfile.TemporaryDirectory() as folder:
        loop = ReferenceLoop(bootstrap, inputs.source(name), group, watch)
        decode, encode = codec(name)
        if name.startswith("map"):
            return loop.run(MapJob(loop.producer, output, decode, encode))
        changelog = f"{group}-changelog"
        create_topic(bootstrap, changelog)
        if name == "count":
            return loop.run(CountJob(loop.producer, output, changelog, Path(folder)))
        return loop.run(WindowJob(loop.producer, output, changelog, Path(folder), decode))
