"""Worker processes of one app in a test: started, killed, frozen, and gone when the test ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("chaos_app.py")
QUICK = {"session_timeout": 1_500, "heartbeat_interval": 100, "transaction_timeout": 2_500}
FAILPOINT_LINE = "failpoint "


def wait_for(condition: Callable[[], bool], what: str, within_s: float = 60.0, every_s: float = 0.05) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {within_s:.0f} s in vain: {what}"
        time.sleep(every_s)


class Fleet:
    """Each worker has a place: a state folder and, if static, an instance name, which outlive its process."""

    def __init__(self, bootstrap: str, app_id: str, folder: Path, *, is_static: bool, **settings: Any) -> None:
        self._app_id, self._folder, self._is_static = app_id, folder, is_static
        self._settings = {"bootstrap_servers": bootstrap, **QUICK, **settings}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.exits: Counter[int] = Counter()

    def start(self, place: int, failpoints: str = "") -> None:
        settings = {**self._settings, "state_dir": str(self._folder / f"place-{place}")}
        if self._is_static:
            settings["instance"] = f"w{place}"
        with self.log(place).open("ab") as log:
            self.processes[place] = subprocess.Popen(
                [sys.executable, str(PROGRAM), self._app_id, json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PENSTOCK_FAILPOINTS": failpoints},
            )

    def log(self, place: int) -> Path:
        return self._folder / f"worker-{place}.log"

    def said(self, place: int) -> str:
        return self.log(place).read_text() if self.log(place).exists() else ""

    def fired(self) -> Counter[str]:
        """How often a process killed itself, by failpoint."""
        lines = [line for place in self.processes for line in self.said(place).splitlines()]
        return Counter(
            line.removeprefix(FAILPOINT_LINE).partition(":")[0] for line in lines if line.startswith(FAILPOINT_LINE)
        )

    def dead(self) -> list[int]:
        """The places whose process has ended since the last call."""
        found = [place for place, process in self.processes.items() if process.poll() is not None]
        for place in found:
            self.exits[self.processes[place].returncode] += 1
        return found

    def send_signal(self, place: int, number: signal.Signals) -> None:
        self.processes[place].send_signal(number)

    def stop(self, place: int) -> int:
        """End it politely; its exit code."""
        self.processes[place].terminate()
        return self.processes[place].wait(60)

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()  # also one that is frozen
            process.wait()


@contextmanager
def running_fleet(*arguments: Any, **settings: Any) -> Iterator[Fleet]:
    fleet = Fleet(*arguments, **settings)
    try:
        yield fleet
    finally:
        fleet.end()
