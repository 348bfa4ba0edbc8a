"""Functions that a worker calls at an interval of its wall clock, between chunks, on the worker's thread."""

from collections.abc import Sequence

from framework.errors import TimeError
from framework.plan.plan import PeriodicCall


class PeriodicCalls:
    """When each function is due, from the worker's start. After a pause of several intervals it is called once.

    Args:
        calls: the functions.
        now_ms: the start (ms since the epoch).
    """

    def __init__(self, calls: Sequence[PeriodicCall], now_ms: int) -> None:
        self._due_ms = {call: now_ms + call.interval_ms for call in calls}

    def wait_ms(self, now_ms: int) -> int | None:
        """How long until the next is due; None: there are none."""
        return max(0, min(self._due_ms.values()) - now_ms) if self._due_ms else None

    def run_due(self, now_ms: int) -> None:
        """Call those that are due.

        Raises:
            TimeError: one of them raised.
        """
        for call, due_ms in self._due_ms.items():
            if due_ms > now_ms:
                continue
            self._due_ms[call] = due_ms + call.interval_ms * ((now_ms - due_ms) // call.interval_ms + 1)
            try:
                call.function()
            except Exception as error:
                raise TimeError(
                    f'the function "{call.name}" ({call.origin}), which is called every {call.interval_ms} ms, failed: '
                    f"{type(error).__name__}: {error}.\nThe worker stopped; what came before is committed. Correct the "
                    "function and start again."
                ) from error
