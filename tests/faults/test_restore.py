"""A store that outlives its process is brought up to date from the changelog's tail, never from its beginning."""

import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.faults.fleet import Fleet, running_fleet, wait_for
from tests.faults.inputs import create_topics, send, steps_of, wait_until_counted

KEYS = 1500


def restored(fleet: Fleet) -> list[int]:
    """How many records each restore of the task with the store has read, in their order."""
    return [int(count) for count in re.findall(r"restored task 0_0: (\d+) records", fleet.said(0))]


@pytest.mark.faults
@pytest.mark.kafka
def test_worker_killed_between_commit_and_store_restores_the_last_transaction_alone(kafka: Any, tmp_path: Path) -> None:
    app_id = create_topics(kafka, 1)
    words = [f"k{i}" for i in range(KEYS)]
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=True) as fleet:
        fleet.start(0)
        send(kafka, app_id, "left", words)
        wait_until_counted(kafka, app_id, "merged", KEYS)
        send(kafka, app_id, "left", ["last"])  # once it is counted, the store holds what was committed before it
        wait_until_counted(kafka, app_id, "merged", KEYS + 1)
        fleet.send_signal(0, signal.SIGKILL)
        fleet.processes[0].wait()
        fleet.start(0, "after-commit=1")
        wait_for(lambda: len(restored(fleet)) == 2, "the second restore")
        send(kafka, app_id, "left", words[:5])
        fleet.processes[0].wait(60)
        in_last_transaction = len(kafka.read(f"{app_id}-merged")) - KEYS - 1
        fleet.start(0)
        wait_until_counted(kafka, app_id, "merged", KEYS + 6)
        wait_for(lambda: len(restored(fleet)) == 3, "the third restore")
        assert fleet.stop(0) == 0
        first, second, third = restored(fleet)
        assert first == 0
        assert second <= 1
        assert third == in_last_transaction > 0
        assert "is restored from there" not in fleet.said(0)
    counted = {f"k{i}": [1, 2] if i < 5 else [1] for i in range(KEYS)}
    assert steps_of(kafka, app_id, "merged") == {**counted, "last": [1]}


@pytest.mark.faults
@pytest.mark.kafka
def test_store_left_alone_for_long_is_restored_from_the_beginning_if_others_went_on(kafka: Any, tmp_path: Path) -> None:
    app_id = create_topics(kafka, 1)
    long_ago = time.time() - 13 * 60 * 60
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=False) as fleet:
        fleet.start(0)
        send(kafka, app_id, "left", ["a", "b", "c"])
        wait_until_counted(kafka, app_id, "merged", 3)
        assert fleet.stop(0) == 0
        fleet.start(1)
        send(kafka, app_id, "left", ["a"])
        wait_until_counted(kafka, app_id, "merged", 4)
        assert fleet.stop(1) == 0
        for file in (tmp_path / "place-0").glob("*/*/0_0/*"):
            os.utime(file, (long_ago, long_ago))
        fleet.start(0)
        wait_for(lambda: len(restored(fleet)) == 2, "the second restore")
        assert fleet.stop(0) == 0
        assert "since long ago" in fleet.said(0)
        assert restored(fleet) == [0, 4]
