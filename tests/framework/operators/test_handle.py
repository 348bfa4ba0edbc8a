"""Handlers that are async, take the context, yield, or take a whole chunk."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from framework import App, Context, RecordError, Topic
from framework.testing import TestDriver

Rows = list[tuple[str | None, int, int]]  # key, value, at


def run(function: Callable[..., Any], rows: Rows, *, key: Any = str, driver: Any = None, **options: Any) -> list[Any]:
    """Key, value and time of what a handler of ints gives as texts."""
    app = App("app")
    given: Topic[Any, int] = app.topic("given", key=key, value=int)
    results: Topic[Any, str] = app.topic("results", key=key, value=str)
    app.handler(given, to=results, **options)(function)
    with TestDriver(app, **(driver or {"chunk": 100})) as driven:
        for row_key, value, at in rows:
            driven.send(given, value, key=row_key, at=at)
        for _ in range(2):
            try:
                driven.records(results)
            except RecordError as error:
                assert "ValueError: bad 13" in str(error)
        return [(r.key, r.value, r.timestamp_ms) for r in driven.records(results)]


async def slow_for_small(value: int) -> str | None:
    """The smaller the value, the longer it takes; 13 fails."""
    for _ in range(20 - value):
        await asyncio.sleep(0)
    if value == 13:
        raise ValueError("bad 13")
    return None if value == 7 else f"v{value}"


def test_async_results_come_in_the_order_of_the_records() -> None:
    rows: Rows = [("a", 1, 0), ("b", 9, 1), ("c", 7, 2), ("a", 5, 3)]
    assert run(slow_for_small, rows, concurrency=10) == [("a", "v1", 0), ("b", "v9", 1), ("a", "v5", 3)]


def test_async_calls_of_one_key_never_overlap_and_others_do() -> None:
    running: list[str] = []
    most = 0

    async def watch(value: int, ctx: Context[str]) -> str:
        nonlocal most
        assert ctx.key not in running
        running.append(ctx.key)
        most = max(most, len(running))
        for _ in range(5):
            await asyncio.sleep(0)
        running.remove(ctx.key)
        return str(value)

    rows: Rows = [(key, i, i) for i, key in enumerate("aabbccddaa")]
    assert run(watch, rows, concurrency=3) == [(key, str(i), i) for key, i, _ in rows]
    assert most == 3


def test_async_concurrency_of_one_is_one_call_at_a_time() -> None:
    running = 0

    async def watch(value: int) -> str:
        nonlocal running
        assert running == 0
        running += 1
        await asyncio.sleep(0)
        running -= 1
        return str(value)

    assert len(run(watch, [("a", 1, 0), ("b", 2, 0)])) == 2


def test_async_without_keys_may_all_overlap() -> None:
    together = asyncio.Barrier(3)

    async def meet(value: int) -> str:
        await together.wait()
        return str(value)

    rows: Rows = [(None, i, i) for i in range(3)]
    assert [value for _, value, _ in run(meet, rows, key=None, concurrency=3)] == ["0", "1", "2"]


def test_async_failure_names_one_record_and_keeps_the_others() -> None:
    rows: Rows = [("a", 1, 0), ("b", 13, 1), ("c", 2, 2)]
    assert run(slow_for_small, rows, concurrency=10) == [("a", "v1", 0), ("c", "v2", 2)]


def test_async_failure_cancels_what_is_under_way() -> None:
    cancelled: list[int] = []

    async def wait_or_fail(value: int) -> str:
        if value == 13:
            raise ValueError("bad 13")
        if not cancelled:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.append(value)
                raise
        return str(value)

    assert run(wait_or_fail, [("a", 1, 0), ("b", 13, 1)], concurrency=2) == [("a", "1", 0)]
    assert cancelled == [1]


def test_async_generator_gives_several_results() -> None:
    async def count(value: int) -> AsyncIterator[str]:
        for i in range(value):
            await asyncio.sleep(0)
            yield f"{value}.{i}"

    assert run(count, [("a", 2, 0), ("b", 0, 1), ("c", 1, 2)], concurrency=5) == [
        ("a", "2.0", 0),
        ("a", "2.1", 0),
        ("c", "1.0", 2),
    ]


def test_handler_with_context_gets_the_record_around_the_value() -> None:
    def tell(value: int, ctx: Context[str]) -> Iterator[str]:
        yield f"{ctx.key} {ctx.timestamp} {ctx.headers} {ctx.partition} {ctx.topic} {ctx.now}"

    assert run(tell, [("a", 1, 3)], driver={"now": 99}) == [("a", "a 3 [] 0 given 99", 3)]


def hidden_timer(ctx: Context[str]) -> None:
    ctx.timer(at=1)


def test_context_of_a_handler_has_no_timers() -> None:
    def forget(value: int, ctx: Context[str]) -> str:
        try:
            hidden_timer(ctx)
        except AttributeError as error:
            return str(error)
        return ""

    [(_, said, _)] = run(forget, [("a", 1, 0)])
    assert said == (
        "a handler's context has no timer: it keeps no state and sets no timers. Use @app.processor for that."
    )


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
def test_batch_takes_the_values_of_a_chunk_and_gives_a_result_at_each_place(is_async: bool) -> None:
    sizes: list[int] = []

    def doubled(values: list[int]) -> list[str | None]:
        sizes.append(len(values))
        return [None if value == 2 else str(2 * value) for value in values]

    async def doubled_later(values: list[int]) -> list[str | None]:
        await asyncio.sleep(0)
        return doubled(values)

    rows: Rows = [("a", 1, 0), ("b", 2, 1), ("c", 3, 2)]
    assert run(doubled_later if is_async else doubled, rows, batch=True) == [("a", "2", 0), ("c", "6", 2)]
    assert sizes == [3]


def test_batch_that_fails_is_run_again_record_by_record() -> None:
    def checked(values: list[int]) -> list[str]:
        if 13 in values:
            raise ValueError("bad 13")
        return list(map(str, values))

    assert run(checked, [("a", 1, 0), ("b", 13, 1), ("c", 3, 2)], batch=True) == [("a", "1", 0), ("c", "3", 2)]


def test_batch_of_another_length_is_refused() -> None:
    def short(values: list[int]) -> list[str]:
        return []

    app = App("app")
    given = app.topic("given", key=str, value=int)
    app.handler(given, batch=True)(short)
    with TestDriver(app) as driver, pytest.raises(RecordError, match="got 1 values and returned a list of 0"):
        driver.send(given, 1, key="a")


def test_async_handler_in_an_async_test() -> None:
    async def test() -> list[Any]:
        return run(slow_for_small, [("a", 1, 0)])

    assert asyncio.run(test()) == [("a", "v1", 0)]
