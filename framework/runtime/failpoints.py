"""Named points at which a process can be told to die, so that tests can kill it where it hurts.

`PENSTOCK_FAILPOINTS="after-offsets=0.01,during-restore=0.2"` kills the process there with that probability. Off, a
point costs one look at an empty dict.
"""

import os
import random
import signal


def _parse(text: str) -> dict[str, float]:
    return {name: float(chance) for name, _, chance in (part.partition("=") for part in text.split(",") if part)}


_CHANCES = _parse(os.environ.get("PENSTOCK_FAILPOINTS", ""))


def failpoint(name: str) -> None:
    """Die here, if told to."""
    if _CHANCES and random.random() < _CHANCES.get(name, 0.0):
        os.write(2, f"failpoint {name}: process {os.getpid()} kills itself\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
