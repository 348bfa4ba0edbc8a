"""Kill and freeze workers at random moments and at every named point; then each key must have counted 1, 2, 3 …

`PENSTOCK_CHAOS_SEED`, `PENSTOCK_CHAOS_KILLS` and `PENSTOCK_CHAOS_FREEZES` change the run.
"""

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.faults.feed import Feed
from tests.faults.fleet import QUICK, Fleet, running_fleet
from tests.faults.inputs import create_topics, steps_of, wait_until_counted

WORKERS, PARTITIONS = 3, 4
KILLS = int(os.environ.get("PENSTOCK_CHAOS_KILLS", "30"))
FREEZES = int(os.environ.get("PENSTOCK_CHAOS_FREEZES", "10"))
SEED = int(os.environ.get("PENSTOCK_CHAOS_SEED", "0")) or int(time.time())

# Chances that let a worker live for a second or two: some points are passed with every commit, others seldom.
FAILPOINTS = {
    "before-flush": 0.03, "after-changelog": 0.03, "after-offsets": 0.03, "after-commit": 0.03, "after-chunk": 0.03,
    "during-restore": 0.5, "during-rebalance": 0.5,
}  # fmt: skip
# In ms: longer than the session; longer than the open transaction may live, too.
FREEZE_MS = (QUICK["session_timeout"] + 400, QUICK["transaction_timeout"] + 600)


class Chaos:
    """One kill or freeze after another, several workers frozen at a time."""

    def __init__(self, fleet: Fleet, dice: random.Random) -> None:
        self._fleet, self._dice = fleet, dice
        self._frozen: dict[int, float] = {}
        self._armed: Counter[str] = Counter()
        self.kills = self.freezes = self.long_freezes = 0

    def start(self, place: int) -> None:
        # Reason: each process is armed with one point, those that have not fired yet first, so that all of them fire.
        fired = self._fleet.fired()
        point = min(FAILPOINTS, key=lambda name: (fired[name], self._armed[name]))
        self._armed[point] += 1
        self._fleet.start(place, f"{point}={FAILPOINTS[point]}")

    def run(self, kills: int, freezes: int, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while not self._is_enough(kills, freezes) and time.monotonic() < deadline:
            time.sleep(self._dice.uniform(0.1, 0.5))
            self._thaw(time.monotonic())
            self._revive()
            awake = [place for place in self._fleet.processes if place not in self._frozen]
            if not awake or self._dice.random() < 0.4:
                continue
            # Reason: once there were enough kills, freezes alone go on: they bring the points on that fire seldom.
            is_killed_enough = self.kills + self._fleet.fired().total() >= kills
            if len(awake) > 1 and (is_killed_enough or (self.freezes < freezes and self._dice.random() < 0.4)):
                self._freeze(self._dice.choice(awake))
            elif not is_killed_enough and self._dice.random() < 0.5:
                self._fleet.send_signal(self._dice.choice(awake), signal.SIGKILL)
                self.kills += 1
        while self._frozen:
            time.sleep(0.1)
            self._thaw(time.monotonic())
        self._revive()

    def _is_enough(self, kills: int, freezes: int) -> bool:
        fired = self._fleet.fired()
        return (
            self.kills + fired.total() >= kills
            and self.freezes >= freezes
            and self.long_freezes > 0
            and set(fired) == set(FAILPOINTS)
        )

    def _freeze(self, place: int) -> None:
        ms = self._dice.choice(FREEZE_MS)
        self._fleet.send_signal(place, signal.SIGSTOP)
        self._frozen[place] = time.monotonic() + ms / 1000
        self.freezes += 1
        self.long_freezes += ms > QUICK["transaction_timeout"]

    def _thaw(self, now: float) -> None:
        for place in [place for place, until in self._frozen.items() if now >= until]:
            del self._frozen[place]
            self._fleet.send_signal(place, signal.SIGCONT)

    def _revive(self) -> None:
        for place in self._fleet.dead():
            self._frozen.pop(place, None)
            self.start(place)


@pytest.mark.faults
@pytest.mark.kafka
@pytest.mark.timeout(600)
@pytest.mark.parametrize("is_static", [True, False], ids=["static", "dynamic"])
def test_workers_killed_and_frozen_counts_are_exact_step_by_step(kafka: Any, tmp_path: Path, is_static: bool) -> None:
    dice = random.Random(SEED)
    app_id = create_topics(kafka, PARTITIONS)
    started = time.monotonic()
    with running_fleet(kafka.bootstrap, app_id, tmp_path, is_static=is_static) as fleet:
        chaos = Chaos(fleet, dice)
        with Feed(kafka, app_id, SEED) as feed:
            for place in range(WORKERS):
                chaos.start(place)
            chaos.run(KILLS, FREEZES, within_s=max(120.0, 4.0 * (KILLS + FREEZES)))
        for place in fleet.processes:  # the last ones without failpoints
            fleet.send_signal(place, signal.SIGKILL)
            fleet.processes[place].wait()
            fleet.start(place)
        fired = fleet.fired()
        wait_until_counted(kafka, app_id, "merged", feed.merged.total())
        wait_until_counted(kafka, app_id, "counted", feed.counted.total())
        codes = [fleet.stop(place) for place in list(fleet.processes)]
    membership = "static" if is_static else "dynamic"
    print(
        f"\n{membership} seed {SEED}: {chaos.kills} kills, {fired.total()} deaths at failpoints "
        f"{dict(sorted(fired.items()))}, {chaos.freezes} freezes ({chaos.long_freezes} beyond the transaction), exits "
        f"{dict(fleet.exits)}, {feed.merged.total() + feed.counted.total()} records, {time.monotonic() - started:.0f} s"
    )
    assert codes == [0] * WORKERS
    for output, sent in (("merged", feed.merged), ("counted", feed.counted)):
        steps = steps_of(kafka, app_id, output)
        wrong = {key: counts for key, counts in steps.items() if counts != list(range(1, sent[key] + 1))}
        assert not wrong, f"seed {SEED}: {output} counted {len(wrong)} keys wrongly, see {tmp_path}"
        assert steps.keys() == sent.keys()
    assert set(fleet.exits) <= {-signal.SIGKILL}, f"seed {SEED}: a worker ended by itself, see {tmp_path}"
    assert chaos.kills + fired.total() >= KILLS
    assert chaos.freezes >= FREEZES
    assert chaos.long_freezes > 0
    assert set(fired) == set(FAILPOINTS)
