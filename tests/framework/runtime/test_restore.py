"""When a restore is done, by clients that stand in for Kafka's."""

from typing import Any

from framework import App, Stream, Table
from framework.records import TaskId
from framework.runtime.restore import Restorer
from framework.runtime.task import Task, TaskPhase
from state import MemoryBackend, TaskState


class Log:
    """Both consumers of a restore on one changelog, which tells nothing by itself."""

    def __init__(self, low: int, high: int) -> None:
        self.low, self.high = low, high
        self.assigned: list[tuple[int, int]] = []

    def get_watermark_offsets(self, _: Any, timeout: float) -> tuple[int, int]:
        return self.low, self.high

    def incremental_assign(self, places: list[Any]) -> None:
        self.assigned += [(place.partition, place.offset) for place in places]

    def poll(self, _: float) -> None:
        return None


def new_task() -> Task:
    app = App("app")
    given, counts = app.topic("given", key=str, value=int), app.topic("counts", key=str, value=int)

    @app.topology(given, to=counts)
    def count(given: Stream[str, int]) -> Table[str, int]:
        return given.group_by_key().count(name="counted")

    (sub,) = app.plan().sub_topologies
    task = Task(TaskId(0, 0), sub, TaskState([store.spec for store in sub.stores], MemoryBackend(["counted"])))
    task.enter(TaskPhase.RESTORING)
    return task


def started(log: Log) -> list[str]:
    """The tasks that are complete at the first look."""
    both: Any = log
    restorer, task = Restorer(both, both, {"app-counted-changelog"}), new_task()
    restorer.start(task)
    return [str(task.id) for task in restorer.step(0)]


def test_restore_of_a_changelog_without_records_is_done_at_once() -> None:
    log = Log(0, 0)
    assert started(log) == ["0_0"]
    assert log.assigned == []


def test_restore_of_a_changelog_with_records_reads_it_first() -> None:
    log = Log(3, 7)
    assert started(log) == []
    assert log.assigned == [(0, 3)]
