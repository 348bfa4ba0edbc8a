"""Several workers on one machine: a process each, started again when one dies.

The supervisor forks before anything of Kafka or RocksDB exists in this process, and makes none of it itself: neither
survives a fork. Its children end with it: by SIGTERM when it is asked to end, by the kernel's word when it is killed.
"""

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from framework.errors import StreamError
from framework.runtime.clock import monotonic_ms

log = logging.getLogger("penstock.supervisor")

_LOOK_EVERY_S = 0.05
_STOP_TIMEOUT_S = 60.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class RestartPolicy:
    """When a dead worker is started again: at once the first time, then after pauses that double.

    A worker that has run for `healthy_ms` has forgotten its earlier deaths. Some exit codes a restart does not
    heal: a wrong declaration or setting (2), a stolen identity (4), a record that cannot be processed (5), and topics
    or a broker that are not there (3), unless they were there before.
    """

    first_pause_ms: int = 200
    longest_pause_ms: int = 10_000
    healthy_ms: int = 30_000

    def is_hopeless(self, exit_code: int, *, was_healthy: bool) -> bool:
        return exit_code in {2, 4, 5} or (exit_code == 3 and not was_healthy)

    def is_healthy(self, *, now_ms: float, started_ms: float) -> bool:
        return now_ms - started_ms >= self.healthy_ms

    def pause_ms(self, deaths: int) -> int:
        """How long to wait after so many deaths in a row."""
        return 0 if deaths <= 1 else min(self.longest_pause_ms, self.first_pause_ms * 2 ** min(deaths - 2, 20))


@dataclass(slots=True)
class _Child:
    """One worker's place. `pid` None: it is to be started at `start_ms`, unless it has finished its work."""

    index: int
    start_ms: float
    pid: int | None = None
    deaths: int = 0
    is_finished: bool = False


def supervise(
    workers: int, work: Callable[[int], None], policy: RestartPolicy | None = None, *, until_end: bool = False
) -> None:
    """Run `work(index)` in a process for each index until SIGTERM or SIGINT, or `until_end` all have ended well.

    Raises:
        SystemExit: a worker ended with this code, and starting it again would not help.
    """
    _Supervisor(workers, work, policy or RestartPolicy(), until_end).run()


class _Supervisor:
    def __init__(self, workers: int, work: Callable[[int], None], policy: RestartPolicy, until_end: bool) -> None:
        self._work, self._policy, self._until_end = work, policy, until_end
        self._children = [_Child(index, start_ms=0.0) for index in range(workers)]
        self._was_healthy = self._is_stopping = False
        self._exit_code = 0

    def run(self) -> None:
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._is_stopping and not all(child.is_finished for child in self._children):
                self._start_due()
                self._look_for_dead()
                time.sleep(_LOOK_EVERY_S)
        finally:
            self._end_children()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._exit_code:
            raise SystemExit(self._exit_code)

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._is_stopping = True

    def _start_due(self) -> None:
        for child in self._children:
            if (
                child.pid is None
                and not child.is_finished
                and child.start_ms <= monotonic_ms()
                and not self._is_stopping
            ):
                child.pid, child.start_ms = _fork(self._work, child.index), monotonic_ms()

    def _look_for_dead(self) -> None:
        for child in self._children:
            exit_code = _reap(child)
            if exit_code == 0 and self._until_end:
                child.is_finished = True
            elif exit_code is not None and not self._is_stopping:
                self._bury(child, exit_code)

    def _bury(self, child: _Child, exit_code: int) -> None:
        is_healthy = self._policy.is_healthy(now_ms=monotonic_ms(), started_ms=child.start_ms)
        self._was_healthy = self._was_healthy or is_healthy
        if self._policy.is_hopeless(exit_code, was_healthy=self._was_healthy):
            log.error("worker %d ended with exit code %d, which no restart heals: all stop", child.index, exit_code)
            self._is_stopping, self._exit_code = True, exit_code
            return
        child.deaths = 1 if is_healthy else child.deaths + 1
        pause_ms = self._policy.pause_ms(child.deaths)
        child.start_ms = monotonic_ms() + pause_ms
        log.warning(
            "worker %d ended with exit code %d; it is started again in %.1f s", child.index, exit_code, pause_ms / 1000
        )

    def _end_children(self) -> None:
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while any(child.pid is not None for child in self._children):
            for child in self._children:
                _reap(child)
            if time.monotonic() > deadline:
                log.error("workers did not end within %.0f s: they are killed", _STOP_TIMEOUT_S)
                self._signal(signal.SIGKILL)
                deadline += _STOP_TIMEOUT_S
            time.sleep(_LOOK_EVERY_S)

    def _signal(self, number: signal.Signals) -> None:
        for child in self._children:
            if child.pid is not None:
                os.kill(child.pid, number)


def _fork(work: Callable[[int], None], index: int) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os._exit(_run_child(work, index, parent))
    return pid


def _run_child(work: Callable[[int], None], index: int, parent: int) -> int:
    """The whole life of a worker process; its exit code."""
    exit_code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _end_with(parent)
        work(index)
        exit_code = 0
    except StreamError as error:
        log.error("worker %d: %s", index, error)
        exit_code = error.exit_code
    except BaseException:
        log.exception("worker %d failed", index)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    return exit_code


def _end_with(parent: int) -> None:
    """Be told to end when the supervisor is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Reason: it may have gone before the kernel was asked.
    if os.getppid() != parent:
        raise SystemExit("the supervisor is gone")


def _reap(child: _Child) -> int | None:
    """The exit code of a child that has ended, as a shell would tell it; None while it lives, or was never started."""
    if child.pid is None:
        return None
    pid, status = os.waitpid(child.pid, os.WNOHANG)
    if pid == 0:
        return None
    child.pid = None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
