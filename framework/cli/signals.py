"""SIGTERM and SIGINT: while something starts they interrupt it, while a command waits they are an event."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def stop_asked() -> Iterator[threading.Event]:
    """The event that SIGTERM and SIGINT set, while inside."""
    asked = threading.Event()
    with _handled((signal.SIGTERM, signal.SIGINT), lambda *_: asked.set()):
        yield asked


@contextmanager
def term_interrupts() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as SIGINT does, while inside: what was begun is cleaned up."""

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with _handled((signal.SIGTERM,), interrupt):
        yield


@contextmanager
def _handled(numbers: tuple[signal.Signals, ...], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
