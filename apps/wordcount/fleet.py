"""The demo's workers: the command `penstock run --workers N`, whose supervisor starts a killed worker again."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from apps.wordcount.app import app

_APP = "apps.wordcount.app:app"
_INSTANCE = "demo"
_STOP_TIMEOUT_S = 20.0
_TAIL = 2000


class Fleet:
    """The command, running while inside.

    Args:
        folder: below it are the workers' state and log.
        bootstrap: Kafka's address.
        workers: how many.
    """

    def __init__(self, folder: Path, bootstrap: str, workers: int) -> None:
        self._state, self._log = folder / "state", folder / "workers.log"
        self.command_line = f"penstock run {_APP} --workers {workers} --instance {_INSTANCE}"
        self._options = ["--bootstrap-servers", bootstrap, "--state-dir", str(self._state)]
        self._process: subprocess.Popen[bytes] | None = None

    def kill_one(self) -> int:
        """End one worker by SIGKILL; the killed process's id."""
        # Who holds the folder of a worker's state has its process id in the lock.
        pid = int((self._state / app.id / f"{_INSTANCE}-0" / ".lock").read_text())
        os.kill(pid, signal.SIGKILL)
        return pid

    def problem(self) -> str | None:
        """What is wrong with the command, if anything."""
        if self._process is None or self._process.poll() is None:
            return None
        return f"the workers ended with exit code {self._process.returncode}; their log ends:\n{self.log_tail()}"

    def log_tail(self) -> str:
        return self._log.read_text()[-_TAIL:]

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "framework.cli.main", *self.command_line.split()[1:], *self._options]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
