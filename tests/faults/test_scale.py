"""Workers come and go while records flow: counts stay exact, and only tasks that move stop, for a moment."""

import re
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.faults.feed import Feed
from tests.faults.fleet import Fleet, running_fleet, wait_for
from tests.faults.inputs import create_topics, steps_of, wait_until_counted

TASKS = 12
_LINE = re.compile(r"^(\S+ \S+) \d+ INFO penstock.worker: (running|gave up) tasks (.+)$", re.MULTILINE)
LONGEST_STOP_S = 10.0


def moves(fleet: Fleet) -> list[tuple[float, int, str, str]]:
    """Time (s), place, what happened ("running" or "gave up") and task, in the order of time."""
    return sorted(
        (datetime.strptime(when, "%Y-%m-%d %H:%M:%S,%f").timestamp(), place, what, task)
        for place in fleet.processes
        for when, what, tasks in _LINE.findall(fleet.said(place))
        for task in tasks.split()
    )


def owners(fleet: Fleet) -> dict[str, int]:
    """Who runs each task now, by the workers' logs."""
    found: dict[str, int] = {}
    for _, place, what, task in moves(fleet):
        if what == "running":
            found[task] = place
        elif found.get(task) == place:
            del found[task]
    return found


def spread(fleet: Fleet) -> list[int]:
    return sorted(Counter(owners(fleet).values()).values())


@pytest.mark.faults
@pytest.mark.kafka
def test_workers_one_three_two_counts_are_exact_and_only_moved_tasks_stop(kafka: Any, tmp_path: Path) -> None:
    app_id = create_topics(kafka, 4)
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=False) as fleet:
        with Feed(kafka, app_id, seed=1) as feed:
            fleet.start(0)
            wait_for(lambda: spread(fleet) == [TASKS], "all tasks run on one worker")
            fleet.start(1)
            fleet.start(2)
            wait_for(lambda: spread(fleet) == [4, 4, 4], "four tasks on each of three workers")
            stayed = {task for task, place in owners(fleet).items() if place == 0}
            history = moves(fleet)
            assert fleet.stop(2) == 0
            wait_for(lambda: spread(fleet) == [6, 6], "six tasks on each of two workers")
        wait_until_counted(kafka, app_id, "merged", feed.merged.total())
        wait_until_counted(kafka, app_id, "counted", feed.counted.total())
        stops = stops_s(moves(fleet))
        assert [fleet.stop(0), fleet.stop(1)] == [0, 0]
    print(f"\n{len(stops)} moves, longest stop {max(stops):.2f} s")
    assert len(stayed) == 4
    assert [event for event in history if event[3] in stayed and event[2] == "gave up"] == []
    assert len(stops) < 2 * TASKS
    assert max(stops) < LONGEST_STOP_S
    for output, sent in (("merged", feed.merged), ("counted", feed.counted)):
        assert steps_of(kafka, app_id, output) == {key: list(range(1, n + 1)) for key, n in sent.items()}


def stops_s(events: list[tuple[float, int, str, str]]) -> list[float]:
    """How long each moved task stood still: from the one that gave it up to the one that runs it."""
    since: dict[str, float] = {}
    stops = []
    for when, _, what, task in events:
        if what == "gave up":
            since[task] = when
        elif task in since:
            stops.append(when - since.pop(task))
    return stops
