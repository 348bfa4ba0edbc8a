"""Laws of handlers: async, concurrent and batched ones give what a plain loop gives, however input is cut."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import App, RecordError, Topic
from framework.testing import TestDriver

Row = tuple[str, int]  # key, value: how often it waits, how many results; 5 fails


async def waits(value: int) -> AsyncIterator[str]:
    for n in range(value):
        await asyncio.sleep(0)
        yield f"{value}.{n}"
        if value == 5:
            raise ValueError("five")


async def answers(value: int) -> str | None:
    for _ in range(5 - value):
        await asyncio.sleep(0)
    if value == 5:
        raise ValueError("five")
    return f"{value}" if value else None


def batched(values: list[int]) -> list[str | None]:
    if 5 in values:
        raise ValueError("five")
    return [str(value) if value else None for value in values]


def several(value: int) -> list[str]:
    return [f"{value}.{n}" for n in range(value)]


def single(value: int) -> list[str]:
    return [str(value)] if value else []


@pytest.mark.parametrize(
    ("handler", "options", "model"),
    [
        pytest.param(waits, {"concurrency": 3}, several, id="async generator"),
        pytest.param(answers, {"concurrency": 3}, single, id="async"),
        pytest.param(answers, {}, single, id="async, one at a time"),
        pytest.param(batched, {"batch": True}, single, id="batch"),
    ],
)
@given(
    rows=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5)), max_size=12),
    chunk=st.sampled_from([1, 3, 20]),
    seed=st.integers(0, 9),
    crashes=st.sets(st.integers(0, 12), max_size=2),
)
def test_results_are_those_of_a_plain_loop(
    handler: Any, options: Any, model: Any, rows: list[Row], chunk: int, seed: int, crashes: set[int]
) -> None:
    app = App("law")
    source: Topic[str, int] = app.topic("given", key=str, value=int)
    results = app.topic("results", key=str, value=str)
    app.handler(source, to=results, **options)(handler)
    with TestDriver(app, chunk=chunk, seed=seed) as driver:
        for i, (key, value) in enumerate(rows):
            passing_over(lambda: driver.send(source, value, key=key, at=i))  # noqa: B023
            if i in crashes:
                driver.restart()
        while not passing_over(lambda: driver.records(results)):
            pass
        found = [(r.key, r.value, r.timestamp_ms) for r in driver.records(results)]
    assert found == [(k, text, i) for i, (k, v) in enumerate(rows) if v != 5 for text in model(v)]


def passing_over(work: Any) -> bool:
    """Do it; the driver passes over the record that fails."""
    try:
        work()
    except RecordError:
        return False
    return True
