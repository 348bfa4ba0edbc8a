"""A task that runs records one by one names the one whose result cannot be stored."""

from typing import Any

import pytest

from framework import App, Stream, Table
from framework.errors import RecordError
from framework.operators import StepFailed
from framework.records import Records, TaskId, TopicPartition
from framework.runtime.task import Task
from state import MemoryBackend, TaskState

NUMBERS = TopicPartition("numbers", 0)


def task_that_cannot_store(bad: int, changes: Any = "latest") -> Task:
    """It adds up numbers per key; the sum after `bad` is no number."""
    app = App("sums")
    numbers = app.topic("numbers", key=str, value=int)
    sums = app.topic("sums", key=str, value=int)
    log = app.topic("log", key=str, value=int)

    @app.topology(numbers, to=(sums, log))
    def add_up(numbers: Stream[str, int]) -> tuple[Table[str, int], Stream[str, int]]:
        added = numbers.group_by_key().aggregate(
            0, lambda state, value: "bad" if value == bad else state + value, type=int, changes=changes
        )
        return added, numbers

    (sub,) = app.plan().sub_topologies
    specs = [store.spec for store in sub.stores]
    return Task(TaskId(0, 0), sub, TaskState(specs, MemoryBackend([spec.name for spec in specs])))


def records(*numbers: int) -> Records:
    count = len(numbers)
    values: list[bytes | None] = [number.to_bytes(8, "big") for number in numbers]
    return Records([b"k"] * count, values, [1] * count, list(range(count)))


def written(task: Task, topic: str) -> list[bytes | None]:
    return [value for output in task.take_outputs() if output.topic == topic for value in output.values]


def test_value_that_does_not_fit_its_store_fails_the_changelog_without_naming_a_record() -> None:
    task = task_that_cannot_store(bad=2)
    task.process(NUMBERS, records(1, 2))
    with pytest.raises(StepFailed):
        task.changelog()


def test_careful_task_names_the_record_whose_value_does_not_fit_the_store() -> None:
    task = task_that_cannot_store(bad=2)
    task.is_careful = True
    with pytest.raises(RecordError, match=r"numbers-0 at offset 1.*expected int") as raised:
        task.process(NUMBERS, records(1, 2, 3))
    assert raised.value.offset == 1
    assert task.next_offsets == {NUMBERS: 1}


def test_careful_task_keeps_no_output_of_the_record_that_fails() -> None:
    task = task_that_cannot_store(bad=2)
    task.is_careful = True
    with pytest.raises(RecordError):
        task.process(NUMBERS, records(1, 2, 3))
    assert written(task, "log") == [(1).to_bytes(8, "big")]


def test_careful_task_stops_being_careful_with_its_commit() -> None:
    task = task_that_cannot_store(bad=2)
    task.is_careful = True
    task.process(NUMBERS, records(1))
    (store,) = task.changelog()
    task.commit({store: 0})
    assert not task.is_careful
