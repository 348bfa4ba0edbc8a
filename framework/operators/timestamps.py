"""Times that a user's function takes from values."""

from collections.abc import Callable, Sequence
from typing import Any

from framework.chunk import Chunk


def extracted(fn: Callable[[Any], int], chunk: Chunk) -> list[int]:
    """The time of each record by `fn(value)`; a record without value keeps its own.

    Raises:
        ValueError: a result is not a time in ms since the epoch.
        Whatever the function raises.
    """
    times = [
        own if value is None else fn(value) for value, own in zip(chunk.values.decoded, chunk.timestamps, strict=True)
    ]
    for time in times:
        if type(time) is not int:
            raise ValueError(f"its timestamp by the function is {time!r}, which is no whole number of ms")
    return times


def check_timestamps(timestamps: Sequence[int]) -> None:
    """Raises ValueError for one that is not a time."""
    for timestamp in timestamps if min(timestamps) < 0 else ():
        if timestamp < 0:
            raise ValueError(f"its timestamp is {timestamp}, which is not a time")
