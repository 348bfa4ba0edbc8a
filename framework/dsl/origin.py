"""Finds the user's line: the nearest frame outside this framework."""

import sys
from pathlib import Path

from framework.plan.nodes import Origin

_OURS = str(Path(__file__).parent.parent) + "/"


def user_line() -> Origin:
    """File and line of the statement in the user's code that led here."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return Origin(frame.f_code.co_filename, frame.f_lineno)


def is_ours(file: str) -> bool:
    """Whether a file of code belongs to this framework."""
    return file.startswith(_OURS)
