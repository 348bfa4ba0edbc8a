"""A task by hand: its life, and what is left of a record that fails."""

from typing import Any

import pytest

from framework import App, RecordError, Stream, Table
from framework.operators import StepFailed
from framework.records import Records, TaskId, TopicPartition
from framework.runtime.task import Task, TaskPhase
from serde import for_type
from state import MemoryBackend, TaskState

GIVEN = TopicPartition("given", 0)
_int = for_type(int)


def remember(seen: list[int], value: int) -> Any:
    seen.append(value)
    if value == 13:
        raise ValueError("bad luck")
    return "no list" if value == 99 else seen


def new_task() -> Task:
    app = App("app")
    given = app.topic("given", key=str, value=int)
    echo = app.topic("echo", key=str, value=int)
    kept = app.topic("kept", key=str, value=list[int])

    @app.topology(given, to=(echo, kept))
    def keep(given: Stream[str, int]) -> tuple[Stream[str, int], Table[str, list[int]]]:
        return given, given.group_by_key().aggregate(list, remember, type=list[int], name="kept")

    sub = app.plan().sub_topologies[0]
    specs = [store.spec for store in sub.stores]
    task = Task(TaskId(0, 0), sub, TaskState(specs, MemoryBackend(["kept"])))
    task.enter(TaskPhase.RESTORING)
    task.enter(TaskPhase.RUNNING)
    return task


def records(*values: int, offset: int = 0) -> Records:
    n = len(values)
    return Records([b"k"] * n, [_int.serialize(v) for v in values], [0] * n, list(range(offset, offset + n)))


def written(task: Task, topic: str, value_type: Any) -> list[Any]:
    found = [value for output in task.take_outputs() if output.topic == topic for value in output.values]
    return for_type(value_type).deserialize_many(found)


def stored(task: Task) -> Any:
    entry = task.state.stores["kept"].get(b"k")
    return None if entry is None else entry[0]


def test_task_goes_only_where_its_life_allows() -> None:
    task = new_task()
    with pytest.raises(AssertionError, match="cannot go from running to created"):
        task.enter(TaskPhase.CREATED)
    task.close()
    with pytest.raises(AssertionError, match="cannot go from closed to running"):
        task.enter(TaskPhase.RUNNING)


def test_failing_record_is_named_and_only_those_before_it_are_kept() -> None:
    task = new_task()
    with pytest.raises(RecordError, match="ValueError: bad luck") as caught:
        task.process(GIVEN, records(1, 2, 13, 4, offset=10))
    assert (caught.value.tp, caught.value.offset, caught.value.step) == (GIVEN, 12, "kept")
    assert task.next_offsets == {GIVEN: 12}
    assert stored(task) == [1, 2]
    assert written(task, "echo", int) == [1, 2]


def test_negative_timestamp_is_a_record_error() -> None:
    task = new_task()
    given = records(1, 2)
    given.timestamps[1] = -1
    with pytest.raises(RecordError) as caught:
        task.process(GIVEN, given)
    assert caught.value.offset == 1
    assert stored(task) == [1]


def test_failure_in_flush_is_found_by_care_and_leaves_no_output_of_its_record() -> None:
    task = new_task()
    with pytest.raises((StepFailed, RecordError)):
        task.process(GIVEN, records(1, 99, 3))
        task.flush()
    task.abort()
    task.is_careful = True
    with pytest.raises(RecordError) as caught:
        task.process(GIVEN, records(1, 99, 3))
    assert caught.value.offset == 1
    assert task.next_offsets == {GIVEN: 1}
    assert stored(task) == [1]
    assert written(task, "echo", int) == [1]


def test_abort_forgets_state_outputs_and_offsets() -> None:
    task = new_task()
    task.process(GIVEN, records(1))
    task.abort()
    assert (stored(task), task.next_offsets, task.take_outputs()) == (None, {}, [])
