"""Ends of partitions that the client tells among the records; the rest of the intake is tested on a real broker."""

from typing import Any

import pytest

from framework import App, Stream
from framework.plan.partitions import lay_out
from framework.records import TaskId, TopicPartition
from framework.runtime import kafka
from framework.runtime.intake import Intake
from framework.runtime.task import Task
from state import MemoryBackend, TaskState

LEFT, RIGHT = TopicPartition("left", 0), TopicPartition("right", 0)


class Said:
    """A record, or without value the end of a partition, as the client's messages look."""

    def __init__(self, tp: TopicPartition, offset: int, timestamp: int | None = None) -> None:
        self._tp, self._offset, self._timestamp = tp, offset, timestamp

    def topic(self) -> str:
        return self._tp.topic

    def partition(self) -> int:
        return self._tp.partition

    def offset(self) -> int:
        return self._offset

    def error(self) -> Any:
        return None if self._timestamp is not None else kafka.KafkaError(kafka.KafkaError._PARTITION_EOF)

    def headers(self) -> None:
        return None

    def key(self) -> None:
        return None

    def value(self) -> bytes:
        return b"x"

    def timestamp(self) -> tuple[int, int]:
        assert self._timestamp is not None
        return 1, self._timestamp


class Told:
    """A consumer that gives what it is told to, and knows no ends but those it tells."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)

    def poll(self, _: float) -> Said | None:
        return self.said.pop(0) if self.said else None

    def consume(self, _: int, __: float) -> list[Said]:
        said, self.said = self.said, []
        return said

    def get_watermark_offsets(self, *_: Any, **__: Any) -> tuple[int, int]:
        return -1001, -1001


@pytest.fixture
def two_inputs(monkeypatch: pytest.MonkeyPatch) -> Task:
    monkeypatch.setattr(kafka, "Message", Said)
    app = App("merge")
    left, right = app.topic("left", value=str), app.topic("right", value=str)

    @app.topology(left, right, to=app.topic("both", value=str))
    def merge(left: Stream[None, str], right: Stream[None, str]) -> Stream[None, str]:
        return left.merge(right)

    plan = app.plan()
    lay_out(plan, {"left": 1, "right": 1, "both": 1})
    return Task(TaskId(0, 0), plan.sub_topologies[0], TaskState([], MemoryBackend([])))


def taken(task: Task, *said: Said) -> list[tuple[str, int]]:
    consumer: Any = Told(*said)
    intake = Intake(consumer, ["left", "right"], chunk_records=100)
    intake.attach(task, [LEFT, RIGHT], now_ms=0)
    chunks = intake.chunks(intake.poll(0), now_ms=0)
    return sorted((tp.topic, offset) for _, batch in chunks for tp, records, _ in batch for offset in records.offsets)


def test_end_told_after_the_records_lets_the_other_input_go_on(two_inputs: Task) -> None:
    # The end is that of a transaction's marker, so the last record alone does not show it.
    said = [Said(LEFT, 0, 10), Said(LEFT, 2), Said(RIGHT, 0, 20), Said(RIGHT, 2)]
    assert taken(two_inputs, *said) == [("left", 0), ("right", 0)]


def test_end_told_before_newer_records_is_none(two_inputs: Task) -> None:
    said = [Said(LEFT, 0, 10), Said(LEFT, 2), Said(LEFT, 3, 15), Said(RIGHT, 0, 20), Said(RIGHT, 2)]
    assert taken(two_inputs, *said) == [("left", 0), ("left", 3)]
