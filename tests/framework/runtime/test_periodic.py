"""When a worker calls the functions of `@app.every`."""

import pytest

from framework import App
from framework.errors import TimeError
from framework.runtime.periodic import PeriodicCalls


def test_function_is_called_at_each_interval_from_the_start() -> None:
    app, calls = App("clock"), []

    @app.every("10s")
    def beat() -> None:
        calls.append(now)

    app.topic("unused", value=str)
    periodic = PeriodicCalls(tuple(app._periodic.values()), 1_000)
    for now in (1_000, 10_999, 11_000, 11_001, 21_000):
        periodic.run_due(now)
    assert calls == [11_000, 21_000]
    assert periodic.wait_ms(25_000) == 6_000


def test_function_after_a_long_pause_is_called_once() -> None:
    app, calls = App("clock"), []

    @app.every("1s")
    def beat() -> None:
        calls.append(now)

    periodic = PeriodicCalls(tuple(app._periodic.values()), 0)
    for now in (5_500, 5_900, 6_000):
        periodic.run_due(now)
    assert calls == [5_500, 6_000]


def test_function_that_fails_is_named_with_its_line() -> None:
    app = App("clock")

    @app.every("1s")
    def beat() -> None:
        raise ValueError("no")

    periodic = PeriodicCalls(tuple(app._periodic.values()), 0)
    with pytest.raises(TimeError, match=r'the function "beat" \(.*test_periodic.py:\d+\), .* failed: ValueError: no'):
        periodic.run_due(1_000)
