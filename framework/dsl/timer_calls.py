"""Finds the calls of `ctx.timer(…)` in a user's function, so that one in a wrong place is told at declaration."""

import dis
from collections.abc import Callable
from typing import Any

from framework.plan.nodes import Origin


def timer_call(function: Callable[..., Any], context: int) -> Origin | None:
    """Where a function first calls the method `timer` of its parameter number `context`; None if it does not.

    What hides behind another function or variable is not seen: that is an error when it runs.
    """
    code = getattr(function, "__code__", None)
    if code is None or code.co_argcount <= context:
        return None
    name = code.co_varnames[context]
    before: Any = None
    for instruction in dis.get_instructions(code):
        # Trap: since Python 3.13 one instruction may load two variables; the last one is on top.
        top = before[-1] if isinstance(before, tuple) else before
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and instruction.argval == "timer" and top == name:
            line = instruction.positions.lineno if instruction.positions is not None else None
            return Origin(code.co_filename, line or code.co_firstlineno)
        before = instruction.argval if instruction.opname.startswith("LOAD_FAST") else None
    return None
