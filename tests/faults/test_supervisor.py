"""Several workers under a supervisor: restarted when killed, told to end, and gone with it."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fleet import Fleet, running_fleet, wait_for
from tests.faults.inputs import create_topics, send, steps_of, wait_until_counted

WORDS = [f"k{i % 10}" for i in range(500)]
ALL_COUNTED = {f"k{i}": 50 for i in range(10)}


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def started_workers(fleet: Fleet, count: int) -> list[int]:
    """The process ids of the supervisor's workers, once all of them run."""
    supervisor = fleet.processes[0].pid
    wait_for(lambda: fleet.said(0).count("runs on") >= count, "workers run")
    return children_of(supervisor)


@pytest.mark.faults
@pytest.mark.kafka
def test_worker_killed_under_supervisor_is_started_again_and_counts_are_exact(kafka: Any, tmp_path: Path) -> None:
    app_id = create_topics(kafka, 4)
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=True, workers=2) as fleet:
        fleet.start(0)
        first, second = started_workers(fleet, 2)
        send(kafka, app_id, "words", WORDS[:250])
        wait_until_counted(kafka, app_id, "counted", 100)
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: len({second, first, *children_of(fleet.processes[0].pid)}) == 3, "a new worker")
        send(kafka, app_id, "words", WORDS[250:])
        wait_until_counted(kafka, app_id, "counted", 500)
        assert fleet.stop(0) == 0
    counted = steps_of(kafka, app_id, "counted")
    assert {key: counts[-1] for key, counts in counted.items()} == ALL_COUNTED
    assert all(counts == list(range(1, 51)) for counts in counted.values())


@pytest.mark.faults
@pytest.mark.kafka
def test_supervisor_told_to_end_commits_and_leaves_no_process(kafka: Any, tmp_path: Path) -> None:
    app_id = create_topics(kafka, 4)
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=False, workers=2) as fleet:
        fleet.start(0)
        workers = started_workers(fleet, 2)
        send(kafka, app_id, "words", WORDS)
        wait_until_counted(kafka, app_id, "counted", 500)
        assert fleet.stop(0) == 0
        assert not [pid for pid in workers if is_alive(pid)]
    assert sum(o for o in kafka.committed(app_id, f"{app_id}-words").values() if o > 0) == 500


@pytest.mark.faults
@pytest.mark.kafka
def test_supervisor_killed_its_workers_end(kafka: Any, tmp_path: Path) -> None:
    app_id = create_topics(kafka, 4)
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=False, workers=2) as fleet:
        fleet.start(0)
        workers = started_workers(fleet, 2)
        fleet.send_signal(0, signal.SIGKILL)
        fleet.processes[0].wait()
        wait_for(lambda: not any(map(is_alive, workers)), "the workers end")


@pytest.mark.faults
@pytest.mark.kafka
def test_supervisor_worker_without_topics_ends_all_with_its_exit_code(kafka: Any, tmp_path: Path) -> None:
    with running_fleet(kafka.bootstrap, "chaos-nothing", tmp_path, is_static=False, workers=2) as fleet:
        fleet.start(0)
        assert fleet.processes[0].wait(60) == 3
        assert "which no restart heals" in fleet.said(0)
        assert "Traceback" not in fleet.said(0)
