"""Structured Streaming's cases of its Kafka source, on a real broker: the rows they end with, and our rules.

There are no triggers here: what bounds a batch there bounds a chunk here, and the rows are the same. Where a topic is
read from is the consumer group's matter, so any tool that sets offsets of a group sets it.
"""

import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from framework import App, ConfigError, Stream
from framework.config import load_settings
from framework.runtime import kafka as clients
from tests.kafka.workers import create_topics, running
from tests.vectors.runner import Case, structured

pytestmark = pytest.mark.kafka
_DEADLINE_S = 60


class Copied:
    """An app that copies topics of numbers, as text, to one; and the rows that a worker of it has written."""

    def __init__(self, kafka: Any, folder: Path, **partitions: int) -> None:
        self.kafka, self.folder = kafka, folder
        tag = uuid.uuid4().hex[:8]
        self.app = app = App(f"copied-{tag}")
        topics = [app.topic(f"{name}-{tag}", value=int, partitions=n) for name, n in partitions.items()]
        self.given, self.out = [topic.name for topic in topics], f"out-{tag}"
        out = app.topic(self.out, value=int, partitions=1)
        for topic in topics:

            @app.topology(topic, to=out, name=topic.name)
            def copy(given: Stream[None, int]) -> Stream[None, int]:
                return given

        create_topics(app, kafka)

    def send(self, numbers: Any, *, partition: int = 0, topic: int = 0) -> None:
        records = [(None, n.to_bytes(8, "big", signed=True)) for n in numbers]
        self.kafka.send(self.given[topic], records, partition)

    def written(self) -> Counter[int]:
        return Counter(int.from_bytes(record.value, "big", signed=True) for record in self.kafka.read(self.out))

    def run_until(self, expected: Any, **settings: Any) -> None:
        """A worker runs until these rows are there; then there are no others either."""
        with running(self.app, self.kafka, self.folder, **settings):
            until(lambda: self.written() >= Counter(expected))
        assert self.written() == Counter(expected)


def until(is_there: Callable[[], bool]) -> None:
    deadline = monotonic() + _DEADLINE_S
    while not is_there():
        assert monotonic() < deadline


@structured("V-M3")
def test_v_m3_all_rows_come_without_a_delay_however_few_a_chunk_takes(case: Case, kafka: Any, tmp_path: Path) -> None:
    copied = Copied(kafka, tmp_path, given=3)
    first, second = case["topic"], case["steps"][2]["add"]
    rows: list[int] = []
    for given in (first, second):
        for partition in range(3):
            numbers = numbers_of(given[f"p{partition}"])
            copied.send(numbers, partition=partition)
            rows += numbers
        copied.run_until(rows, chunk_records=5)
    assert sorted(rows) == sorted(numbers_of(case["steps"][-1]["all"].split(",")))


def numbers_of(given: Any) -> list[int]:
    """`10..12` is 10, 11, 12."""
    ranges = [str(part).split("..") for part in (given if isinstance(given, list) else [given])]
    return [n for ends in ranges for n in range(int(ends[0]), int(ends[-1]) + 1)]


@structured("V-M5")
def test_v_m5_app_starts_at_the_offsets_that_its_group_has(case: Case, kafka: Any, tmp_path: Path) -> None:
    copied = Copied(kafka, tmp_path, given=5)
    offsets: list[Any] = []
    for partition in range(5):
        numbers, start = case["topic"][f"p{partition}"], case["startingOffsets"][f"p{partition}"]
        copied.send(numbers, partition=partition)
        offset = {-2: 0, -1: len(numbers)}.get(start, start)
        offsets.append(clients.TopicPartition(copied.given[0], partition, offset))
    group = clients.create_consumer({"bootstrap.servers": kafka.bootstrap, "group.id": copied.app.id})
    group.commit(offsets=offsets, asynchronous=False)
    group.close()
    copied.run_until(case["all"])
    for partition, number in enumerate(case["then"]["add"]):
        copied.send([number], partition=partition)
    copied.run_until([*case["all"], *case["then"]["all_plus"]])


@structured("V-M7")
def test_v_m7_topic_made_anew_is_read_from_its_first_record(case: Case, kafka: Any, tmp_path: Path) -> None:
    count = int(case["topic"]["p0"].split()[0])
    copied = Copied(kafka, tmp_path, given=1)
    copied.send(range(count))
    copied.run_until(range(count), chunk_records=case["maxOffsetsPerTrigger"])
    [topic] = copied.given
    kafka.delete(topic)
    until(lambda: kafka._admin.list_topics(timeout=10).topics.get(topic) is None)
    kafka.topic(topic, 1)
    copied.send(range(100, 110))
    copied.run_until([*range(count), *range(100, 110)])


@structured("V-M8")
def test_v_m8_lag_of_an_app_is_that_of_its_group(case: Case, kafka: Any, tmp_path: Path) -> None:
    metrics = case["metrics"]
    copied = Copied(kafka, tmp_path, t1=1, t2=1)
    consumed = [metrics["consumed"][t] for t in ("t1", "t2")]
    for topic, number in enumerate(consumed):
        copied.send(range(number), topic=topic)
    copied.run_until([n for number in consumed for n in range(number)])
    lags = []
    for topic, name in enumerate(("t1", "t2")):
        copied.send(range(metrics["latest"][name] - consumed[topic]), topic=topic)
        given = copied.given[topic]
        lags.append(kafka.end_offsets(given)[0] - kafka.committed(copied.app.id, given)[0])
    expect = metrics["expect"]
    figures = (str(min(lags)), str(max(lags)), str(sum(lags) / len(lags)))
    assert figures == tuple(expect[f"{which}OffsetsBehindLatest"] for which in ("min", "max", "avg"))


@structured("V-M8")
@pytest.mark.parametrize("name", ["kafka.auto.offset.reset", "kafka.enable.auto.commit"])
def test_v_m8_settings_that_would_break_a_guarantee_are_refused(case: Case, name: str) -> None:
    assert name in case["config_errors"]
    with pytest.raises(ConfigError, match=name):
        load_settings({"kafka": {name.removeprefix("kafka."): "x"}}, {})


@structured("V-M8")
def test_v_m8_settings_that_the_client_has_not_are_refused_at_start(case: Case) -> None:
    names = case["config_errors"][2:]
    assert names == ["kafka.interceptor.classes", "kafka.key.deserializer", "kafka.value.deserializer"]
    for name in names:
        settings = load_settings({"kafka": {name.removeprefix("kafka."): "x"}}, {})
        with pytest.raises(ConfigError, match=f'No such configuration property: "{name.removeprefix("kafka.")}"'):
            clients.admin_client(settings)
