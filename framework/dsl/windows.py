"""Windows as users declare them: `tumbling("10s", grace="1s")`. Durations are text or timedelta.

`grace` is how long after its end a window still takes records; 0 unless given. A result that is sent once, when its
window closes, wants it stated: without it each record that is only a little out of order would silently be lost.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.durations import Duration, to_ms
from framework.errors import DeclarationError
from framework.plan.windows import SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows, Windows

_NOTHING = "0ms"


def tumbling(size: Duration, *, grace: Duration | None = None, offset: Duration = _NOTHING) -> TimeWindows:
    """Windows `[start, end)` one after the other, counted from the epoch + `offset`.

    Raises:
        DeclarationError: no duration, or a size of 0.
    """
    size_ms = _positive("tumbling", "size", size)
    offset_ms = _ms("tumbling", "offset", offset) % size_ms
    return TimeWindows(size_ms, size_ms, offset_ms, *_grace("tumbling", grace))


def hopping(
    size: Duration, advance: Duration, *, grace: Duration | None = None, offset: Duration = _NOTHING
) -> TimeWindows:
    """Windows `[start, start + size)` that begin every `advance`, so that a record is in several of them.

    Raises:
        DeclarationError: no duration, one of 0, or an advance greater than the size, which would leave records out.
    """
    size_ms, advance_ms = _positive("hopping", "size", size), _positive("hopping", "advance", advance)
    if advance_ms > size_ms:
        raise DeclarationError(
            f"{user_line()}: hopping() takes an advance that is not greater than the size, got {advance!r} and "
            f"{size!r}: records between two windows would be in none."
        )
    offset_ms = _ms("hopping", "offset", offset) % advance_ms
    return TimeWindows(size_ms, advance_ms, offset_ms, *_grace("hopping", grace))


def sliding(difference: Duration, *, grace: Duration | None = None) -> SlidingWindows:
    """For each record the window `[time - difference, time]`, and the one 1 ms after it if it holds records.

    Both ends belong to a window.

    Raises:
        DeclarationError: no duration, or a difference of 0.
    """
    return SlidingWindows(_positive("sliding", "difference", difference), *_grace("sliding", grace))


def session(
    gap: Duration | Callable[[Any], Duration | int],
    *,
    grace: Duration | None = None,
    max_length: Duration | None = None,
) -> SessionWindows:
    """Records of a key with no silence longer than the gap; two sessions become one when a record joins them.

    Args:
        gap: a duration, or a function that gives each value's own: a duration, or ms as an int. A record joins a
            session that is within the record's gap before it, or in whose gap the record falls.
        grace: how long a session still takes records after its gap has passed.
        max_length: a record that would make a session longer, first to last record, begins a new one instead.
    Raises:
        DeclarationError: no duration, or a gap of 0.
    """
    grace_ms, is_stated = _grace("session", grace)
    length_ms = None if max_length is None else _positive("session", "max_length", max_length)
    if callable(gap):
        return SessionWindows(_gap_in_ms(gap), grace_ms, length_ms, is_stated)
    return SessionWindows(_positive("session", "gap", gap), grace_ms, length_ms, is_stated)


def unlimited() -> UnlimitedWindows:
    """One window for all records, from the epoch on; nothing is ever late for it, it ends with the input."""
    return UnlimitedWindows()


def check_grace(scope: Scope, windows: Windows, call: str) -> None:
    """Refuse results that are sent once from windows of which nobody said how long they wait.

    Raises:
        DeclarationError: the window was declared without `grace=`.
    """
    if not windows.is_grace_stated:
        raise scope.error(
            f"{call} sends each window once, so what comes after it closed is lost: say how long the window waits for "
            'records out of order, as in grace="10s" (grace="0s" if they may be lost).'
        )


def _grace(verb: str, given: Duration | None) -> tuple[int, bool]:
    """The grace in ms, and whether it was stated."""
    return (0, False) if given is None else (_ms(verb, "grace", given), True)


def _ms(verb: str, what: str, given: Duration) -> int:
    if not isinstance(given, str | timedelta):
        raise DeclarationError(
            f'{user_line()}: {verb}() takes {what} as text such as "10s" or a timedelta, got {given!r}.'
        )
    try:
        return to_ms(given)
    except ValueError as error:
        raise DeclarationError(f"{user_line()}: {what} of {verb}(): {error}.") from error


def _positive(verb: str, what: str, given: Duration) -> int:
    ms = _ms(verb, what, given)
    if ms == 0:
        raise DeclarationError(f"{user_line()}: {verb}() takes {what} longer than 0, got {given!r}.")
    return ms


def _gap_in_ms(gap: Callable[[Any], Duration | int]) -> Callable[[Any], int]:
    text_to_ms = cache(to_ms)

    def gap_ms(value: Any) -> int:
        given = gap(value)
        ms = given if isinstance(given, int) else text_to_ms(given)
        if ms <= 0:
            raise ValueError(f"the gap of a session must be longer than 0, got {given!r}")
        return ms

    return gap_ms
