"""A call of `ctx.timer(…)` is found in the bytecode of each version of Python."""

import linecache
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from framework.dsl.timer_calls import timer_call


def on_its_own(times: Iterable[int], ctx: Any) -> None:
    ctx.timer(at=1)


def in_an_argument(times: Iterable[int], ctx: Any) -> None:
    print(times, ctx.timer(at=1))


def behind_an_assignment_on_the_line(times: Iterable[int], ctx: Any) -> None:
    if last := max(times): ctx.timer(at=last)  # fmt: skip  # noqa: E701


def in_a_comprehension(times: Iterable[int], ctx: Any) -> list[None]:
    return [ctx.timer(at=time) for time in times]


def in_a_lambda(times: Iterable[int], ctx: Any) -> list[int]:
    return sorted(times, key=lambda time: ctx.timer(at=time))


def in_a_loop_on_one_line(times: Iterable[int], ctx: Any) -> None:
    for time in times: ctx.timer(at=time)  # fmt: skip  # noqa: E701


def beside_a_lambda_with_the_context(times: Iterable[int], ctx: Any) -> Callable[[], Any]:
    ctx.timer(at=1)
    return lambda: ctx


@pytest.mark.parametrize(
    "function",
    [
        on_its_own,
        in_an_argument,
        behind_an_assignment_on_the_line,
        in_a_comprehension,
        in_a_lambda,
        in_a_loop_on_one_line,
        beside_a_lambda_with_the_context,
    ],
)
def test_timer_of_the_context_is_found_with_its_line(function: Callable[..., Any]) -> None:
    found = timer_call(function, 1)
    assert found is not None
    assert found.file == __file__
    assert "ctx.timer(" in linecache.getline(found.file, found.line)


def of_another_object(times: Any, ctx: Any) -> None:
    print(ctx)
    times.timer(at=1)


def of_an_inner_parameter(times: Any, ctx: Any) -> Callable[[Any], Any]:
    return lambda ctx: ctx.timer(at=1)


@pytest.mark.parametrize("function", [of_another_object, of_an_inner_parameter])
def test_timer_of_something_else_is_not_taken_for_one(function: Callable[..., Any]) -> None:
    assert timer_call(function, 1) is None
