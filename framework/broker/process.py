"""The broker's process: Java under a guard that ends it when we are gone, even by SIGKILL."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from framework.broker.errors import BrokerError
from framework.broker.jars import class_path, java

_READY = "Kafka Server started"
_START_TIMEOUT_S = 90.0
_STOP_TIMEOUT_S = 20.0
_SMALL_HEAP_MB = 256


def free_ports(count: int) -> list[int]:
    """So many different ports of the loopback interface that nobody listens on."""
    # Trap: a port that was given back may be given out again, so all are held until the last one is known.
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def java_command(flags: Sequence[str], heap_mb: int, log4j: Path, *main: str) -> list[str]:
    """The command line of one of Kafka's programs."""
    # Reason: the quick compiler alone is lightest for tests; a broker that must carry a load gets both.
    quick = ["-XX:TieredStopAtLevel=1"] if heap_mb <= _SMALL_HEAP_MB else []
    return [
        java(), "-XX:+UseSerialGC", *quick, "-Xms32m", f"-Xmx{heap_mb}m", "-Xlog:disable", "-Xlog:all=error:stderr",
        *flags, f"-Dlog4j2.configurationFile={log4j}", "-cp", class_path(), *main,
    ]  # fmt: skip


class BrokerProcess:
    """A running broker; `log` collects what it prints."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._log, self._log_start = log, log.stat().st_size if log.exists() else 0
        with log.open("ab") as output:
            # Reason: the guard reads its standard input, whose other end is ours alone; it closes when we end.
            self._guard = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("guard.py")), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                start_new_session=True,
            )
        assert self._guard.stdout is not None
        self.java_pid = int(self._guard.stdout.readline() or b"0")

    @property
    def is_running(self) -> bool:
        return self._guard.poll() is None

    def wait_until_ready(self) -> None:
        """Return when the broker answers.

        Raises:
            BrokerError: it ended, or takes too long; the message ends with its log.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        while _READY not in (said := self._said()):
            if not self.is_running or time.monotonic() > deadline:
                self.kill()
                raise BrokerError(f"the broker did not start; its log {self._log} ends:\n{said[-2000:]}")
            time.sleep(0.01)

    def _said(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def stop(self) -> None:
        """End it politely: data and registrations are in order."""
        self.send_signal(signal.SIGTERM)
        self._wait()

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.send_signal(signal.SIGKILL)
        self._wait()

    def send_signal(self, number: signal.Signals) -> None:
        """Send Java a signal, such as SIGSTOP."""
        if self.is_running and self.java_pid:
            with suppress(ProcessLookupError):
                os.kill(self.java_pid, number)

    def _wait(self) -> None:
        try:
            self._guard.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.send_signal(signal.SIGKILL)
            self._guard.wait(_STOP_TIMEOUT_S)
        for pipe in (self._guard.stdin, self._guard.stdout):
            if pipe is not None:
                pipe.close()
