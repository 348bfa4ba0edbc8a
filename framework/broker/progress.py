"""What is shown while Kafka is fetched and prepared, the first time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_LOOK_EVERY_S = 0.3


class Progress:
    """Shows nothing."""

    def say(self, text: str) -> None:
        """One line."""

    @contextmanager
    def fetching(self, text: str, total: int, arrived: Callable[[], int]) -> Iterator[None]:  # noqa: ARG002
        """While this lasts, `arrived()` of about `total` files are there."""
        self.say(text)
        yield


class ConsoleProgress(Progress):
    """Lines, and a bar that grows with the files that have arrived.

    Args:
        console: where to; None: standard error.
    """

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        self._console.print(text)

    @contextmanager
    def fetching(self, text: str, total: int, arrived: Callable[[], int]) -> Iterator[None]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        is_done = threading.Event()
        with Bars(*columns, console=self._console) as bars:
            bar = bars.add_task(text, total=total)

            def look() -> None:
                while not is_done.wait(_LOOK_EVERY_S):
                    bars.update(bar, completed=min(arrived(), total - 1))

            watcher = threading.Thread(target=look, daemon=True)
            watcher.start()
            try:
                yield
                bars.update(bar, completed=total)
            finally:
                is_done.set()
                watcher.join()
