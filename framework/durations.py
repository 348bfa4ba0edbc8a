"""Durations as users write them (`timedelta` or text) to milliseconds, the only unit inside."""

import re
from datetime import timedelta

Duration = timedelta | str

_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*")


def to_ms(duration: Duration) -> int:
    """Milliseconds of `"250ms" "10s" "5m" "1h" "7d"` or a timedelta; >= 0.

    Raises:
        ValueError: not of that form, negative, or finer than a millisecond.
    """
    if isinstance(duration, timedelta):
        ms = duration / timedelta(milliseconds=1)
    else:
        match = _TEXT.fullmatch(duration) if isinstance(duration, str) else None
        if match is None:
            raise ValueError(f'expected a duration such as "250ms", "10s", "5m", "1h" or "7d", got {duration!r}')
        ms = float(match[1]) * _UNIT_MS[match[2]]
    if ms < 0 or ms != int(ms):
        raise ValueError(f"expected a duration of whole milliseconds that is not negative, got {duration!r}")
    return int(ms)
