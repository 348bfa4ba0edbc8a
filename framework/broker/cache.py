"""Where what was fetched and prepared is kept.

`PENSTOCK_CACHE`, else `XDG_CACHE_HOME/penstock`, else `~/.cache/penstock`.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """The folder, created if need be."""
    named = os.environ.get("PENSTOCK_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(named) if named else base / "penstock"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Two processes that prepare at once wait for each other."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
