"""The clock of one run: from the first processed record to the last commit, and the same for the second half.

CPU is that of the whole process, the client library's threads included. It is the steadier figure: on a busy machine
records per second vary by a factor of two, CPU per record by a tenth.
"""

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figures:
    """Records per second and CPU (µs) per record, of the whole run and of its second half; peak memory (MB)."""

    rate: float
    cpu_us: float
    late_rate: float
    late_cpu_us: float
    peak_mb: float


class Stopwatch:
    """`start`, then `pass_by` after each chunk, `mark` after each commit that has brought something, then `finish`.

    Args:
        total: how many records there are.
        on_start, on_finish: called at those moments, outside of what is measured.
    """

    def __init__(
        self, total: int, on_start: Callable[[], None] = lambda: None, on_finish: Callable[[], None] = lambda: None
    ) -> None:
        self.total, self._on_start, self._on_finish = total, on_start, on_finish
        self._started: tuple[int, float, float] | None = None
        self._halfway: tuple[int, float, float] | None = None
        self._marked: tuple[float, float] | None = None

    def start(self) -> None:
        """Records are there and will be processed now; only the first call counts."""
        if self._started is None:
            self._on_start()
            self._started = (0, *_now())

    def pass_by(self, done: int) -> None:
        if self._halfway is None and done >= self.total / 2:
            self._halfway = (done, *_now())

    def mark(self) -> None:
        """All that has been processed is committed; if nothing more comes, it ended here."""
        self._marked = _now()

    def finish(self) -> Figures:
        assert self._started is not None and self._halfway is not None
        end = (self.total, *(self._marked or _now()))
        self._on_finish()
        return Figures(*_between(self._started, end), *_between(self._halfway, end), peak_mb())


def peak_mb() -> float:
    """The most memory that the process had."""
    # Trap: what getrusage tells may be the parent's, from before this program was loaded.
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def _now() -> tuple[float, float]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter(), used.ru_utime + used.ru_stime


def _between(a: tuple[int, float, float], b: tuple[int, float, float]) -> tuple[float, float]:
    records = b[0] - a[0]
    if records <= 0:
        return float("nan"), float("nan")
    return records / (b[1] - a[1]), (b[2] - a[2]) / records * 1e6
