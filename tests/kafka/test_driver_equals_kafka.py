"""The same programs and inputs through the test driver and through a worker on a real broker."""

import random
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from framework import App, Record, Stream, Table, Topic
from framework.testing import TestDriver
from tests.kafka.workers import running

PARTITIONS = 4
Program = Callable[[str], tuple[App, Topic[Any, Any], Topic[Any, Any]]]


def count_words(tag: str) -> tuple[App, Topic[Any, Any], Topic[Any, Any]]:
    app = App(f"count-{tag}")
    lines = app.topic(f"lines-{tag}", key=str, value=str)
    counts = app.topic(f"counts-{tag}", key=str, value=int)

    @app.topology(lines, to=counts)
    def count(lines: Stream[str, str]) -> Table[str, int]:
        return lines.flat_map(lambda line: line.split()).group_by(lambda word: word).count()

    return app, lines, counts


def shout(tag: str) -> tuple[App, Topic[Any, Any], Topic[Any, Any]]:
    app = App(f"shout-{tag}")
    lines = app.topic(f"lines-{tag}", key=str, value=str)
    loud = app.topic(f"loud-{tag}", key=str, value=str)

    @app.topology(lines, to=loud)
    def shout(lines: Stream[str, str]) -> Stream[str, str]:
        return lines.filter(lambda line: "be" in line).map(str.upper)

    return app, lines, loud


def longest_by_first_word(tag: str) -> tuple[App, Topic[Any, Any], Topic[Any, Any]]:
    app = App(f"longest-{tag}")
    lines = app.topic(f"lines-{tag}", key=str, value=str)
    longest = app.topic(f"longest-{tag}", key=str, value=str)

    @app.topology(lines, to=longest)
    def keep_longest(lines: Stream[str, str]) -> Stream[str, str]:
        kept = lines.group_by_key().reduce(lambda old, new: max(old, new, key=len), changes="all")
        return kept.to_stream().rekey(lambda line: line.split()[0]).repartition()

    return app, lines, longest


def by_partition(rows: list[tuple[int, Any, Any, int]]) -> dict[int, list[tuple[Any, Any, int]]]:
    """Key, value and timestamp of each partition's records, sorted: of several writers any may come first."""
    found = defaultdict(list)
    for partition, key, value, timestamp in rows:
        found[partition].append((key, value, timestamp))
    return {partition: sorted(records) for partition, records in found.items()}


def latest(records: list[Record]) -> list[tuple[int, Any, Any, int]]:
    last = {(r.partition, r.key): (r.partition, r.key, r.value, r.timestamp_ms) for r in records}
    return list(last.values())


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("program", "whole"), [(count_words, False), (shout, True), (longest_by_first_word, True)],
    ids=["count words", "filter and map", "reduce and repartition"],
)  # fmt: skip
def test_driver_and_worker_write_the_same_to_the_same_partitions(
    program: Program, whole: bool, kafka: Any, tmp_path: Path
) -> None:
    app, source, sink = program(uuid.uuid4().hex[:8])
    dice = random.Random(1)
    words = ["to", "be", "or", "not", "that", "is", "the", "question"]
    inputs = [(dice.choice(words), " ".join(dice.choices(words, k=dice.randint(1, 6))), 1000 + i) for i in range(300)]

    with TestDriver(app, partitions=PARTITIONS) as driver:
        for key, value, timestamp in inputs:
            driver.send(source, value, key=key, at=timestamp)
        records = driver.records(sink)
    rows = [(r.partition, r.key, r.value, r.timestamp_ms) for r in records]
    expected = by_partition(rows if whole else latest(records))

    for topic in (source, sink):
        kafka.topic(topic.name, partitions=PARTITIONS)
    kafka.send(source.name, [(key.encode(), value.encode(), timestamp) for key, value, timestamp in inputs])
    decode = (lambda data: int.from_bytes(data, "big")) if not whole else bytes.decode
    with running(app, kafka, tmp_path):
        deadline = time.monotonic() + 60
        while True:
            found = [
                Record(sink.name, r.partition, r.offset, r.key.decode(), decode(r.value), r.timestamp_ms)
                for r in kafka.read(sink.name)
            ]
            got = by_partition(
                [(r.partition, r.key, r.value, r.timestamp_ms) for r in found] if whole else latest(found)
            )
            if got == expected or time.monotonic() > deadline:
                break
    assert got == expected
