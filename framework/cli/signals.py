"""SIGTERM, SIGINT, SIGHUP: while something starts they interrupt it, while a command waits they are an event.

SIGHUP says that the terminal is gone; under `nohup` it is ignored, and stays so.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """The event that these signals set, while inside."""
    asked = threading.Event()
    with _handled((signal.SIGTERM, signal.SIGINT, signal.SIGHUP), lambda *_: asked.set()):
        yield asked


@contextmanager
def term_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does, while inside: what was begun is cleaned up."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with _handled((signal.SIGTERM, signal.SIGHUP), interrupt):
        yield


@contextmanager
def _handled(numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    heard = [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
