"""The clocks of the runtime; rules take the time as an argument."""

import time


def monotonic_ms() -> float:
    """Ms since some moment; never goes back."""
    return time.monotonic() * 1000


def wall_clock_ms() -> int:
    """Ms since the epoch."""
    return time.time_ns() // 1_000_000
