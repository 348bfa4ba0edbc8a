"""The demo's workers: processes of the command `penstock run`, one of which can be killed and comes back."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_STOP_TIMEOUT_S = 20.0
_TAIL = 2000


class Fleet:
    """Workers of the app in processes of their own.

    Args:
        folder: below it are their state and their log.
        bootstrap: Kafka's address.
        workers: how many.
    """

    def __init__(self, folder: Path, bootstrap: str, workers: int) -> None:
        self._log, self._workers = folder / "workers.log", workers
        self._options = ["--bootstrap-servers", bootstrap, "--state-dir", str(folder / "state")]
        self._processes: list[subprocess.Popen[bytes]] = []
        self.command_line = "penstock run apps.wordcount.app:app --instance demo-N"

    def kill_one(self) -> int:
        """End one worker by SIGKILL and start it again under its name; the killed process's id."""
        victim = self._processes[0]
        victim.kill()
        victim.wait()
        self._processes[0] = self._start(0)
        return victim.pid

    def problem(self) -> str | None:
        """What is wrong with the workers, if anything."""
        ended = [process.returncode for process in self._processes if process.poll() is not None]
        return f"a worker ended with exit code {ended[0]}; its log ends:\n{self.log_tail()}" if ended else None

    def log_tail(self) -> str:
        return self._log.read_text()[-_TAIL:]

    def _start(self, index: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "framework.cli.main", "run", "apps.wordcount.app:app", *self._options]
        with self._log.open("ab") as log:
            return subprocess.Popen([*command, "--instance", f"demo-{index}"], stdin=subprocess.DEVNULL, stderr=log)

    def __enter__(self) -> Self:
        self._processes = [self._start(index) for index in range(self._workers)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
