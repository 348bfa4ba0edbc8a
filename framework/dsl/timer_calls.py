"""Finds the calls of `ctx.timer(…)` in a user's function, so that one in a wrong place is told at declaration."""

import dis
from collections.abc import Callable
from types import CodeType
from typing import Any

from framework.plan.nodes import Origin


def timer_call(function: Callable[..., Any], context: int) -> Origin | None:
    """Where a function first calls the method `timer` of its parameter number `context`; None if it does not.

    What hides behind a function outside or another variable is not seen: that is an error when it runs.
    """
    code = getattr(function, "__code__", None)
    if code is None or code.co_argcount <= context:
        return None
    return _call_in(code, code.co_varnames[context])


def _call_in(code: CodeType, name: str) -> Origin | None:
    """Where `name.timer` is read in a piece of code, or in a lambda or comprehension in it."""
    top: Any = None
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD") and instruction.argval == "timer" and top == name:
            line = instruction.positions.lineno if instruction.positions is not None else None
            return Origin(code.co_filename, line or code.co_firstlineno)
        top = _loaded(instruction)
        # Reason: a function inside sees `name` only where it has none of its own by that name.
        inner = instruction.argval
        if isinstance(inner, CodeType) and name in inner.co_freevars and (found := _call_in(inner, name)):
            return found
    return None


def _loaded(instruction: dis.Instruction) -> Any:
    """The variable that an instruction leaves on top of the stack; None if it leaves something else."""
    if instruction.opname == "LOAD_DEREF" or "LOAD_FAST" in instruction.opname:
        # Trap: since Python 3.13 one instruction may store and load, or load two variables; the last one is on top.
        return instruction.argval[-1] if isinstance(instruction.argval, tuple) else instruction.argval
    return None
