"""Functions that a worker calls at an interval of its wall clock."""

from collections.abc import Callable

from framework.dsl.annotations import ArityMismatch, signature_of
from framework.dsl.origin import user_line
from framework.durations import Duration, to_ms
from framework.errors import DeclarationError
from framework.plan.plan import PeriodicCall


def periodic_call(function: Callable[[], object], interval: Duration) -> PeriodicCall:
    """What `@app.every` declares.

    Raises:
        DeclarationError: no function without arguments, or no interval of at least 1 ms.
    """
    origin = user_line()
    try:
        interval_ms = to_ms(interval)
    except (ValueError, TypeError) as error:
        raise DeclarationError(f"{origin}: every(): {error}.") from error
    if interval_ms < 1:
        raise DeclarationError(f"{origin}: every() takes at least 1 ms, got {interval!r}.")
    if not callable(function):
        raise DeclarationError(f"{origin}: every() takes a function, got {function!r}.")
    name = getattr(function, "__name__", repr(function))
    try:
        returns = signature_of(function, 0)
    except ArityMismatch as error:
        raise DeclarationError(f"{origin}: every() calls {name} without arguments, but {error}.") from error
    del returns
    return PeriodicCall(name, interval_ms, function, origin)
