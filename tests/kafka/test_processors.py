"""Timers and async handlers in a real worker."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from framework import App, Context, Processor, Timer, ValueState
from tests.kafka.workers import create_topics, running

pytestmark = pytest.mark.kafka
_PATIENCE_S = 60


@contextmanager
def worker_of(app: App, kafka: Any, state_dir: Path) -> Iterator[None]:
    """A worker of the app, whose topics are created if need be."""
    create_topics(app, kafka)
    with running(app, kafka, state_dir):
        yield


def read_until(kafka: Any, topic: str, is_enough: Callable[[list[Any]], bool]) -> list[tuple[str, str]]:
    deadline = time.monotonic() + _PATIENCE_S
    written: list[Any] = []
    while not is_enough(written) and time.monotonic() < deadline:
        written = kafka.read(topic)
    return [(record.key.decode(), record.value.decode()) for record in written]


def test_timers_of_both_clocks_survive_a_worker_and_its_disk(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"timers-{tag}")
    given = app.topic(f"given-{tag}", key=str, value=str, partitions=1)
    results = app.topic(f"results-{tag}", key=str, value=str, partitions=1)

    @app.processor(given, to=results)
    class Remind(Processor[str, str, str]):
        seen = ValueState(int, default=0)

        def process(self, value: str, ctx: Context[str]) -> str | None:
            self.seen.set(self.seen.get() + 1)
            if value == "last":
                return "last"
            ctx.timer(at=ctx.timestamp + 1_000, name="event")
            ctx.timer(after="3s", name="wall")
            return "set"

        def on_timer(self, timer: Timer, ctx: Context[str]) -> str:
            return f"{timer.name} after {self.seen.get()}"

    with worker_of(app, kafka, tmp_path / "first"):
        kafka.send(given.name, [(b"a", b"x", 1_000), (b"a", b"x", 1_500)])
        assert read_until(kafka, results.name, lambda written: len(written) == 2) == [("a", "set")] * 2
    with worker_of(app, kafka, tmp_path / "second"):
        written = read_until(kafka, results.name, lambda written: len(written) == 3)
        assert written[2:] == [("a", "wall after 2")]
        kafka.send(given.name, [(b"b", b"last", 2_499), (b"b", b"last", 2_500)])
        written = read_until(kafka, results.name, lambda written: len(written) == 6)
        assert written[3:] == [("b", "last"), ("b", "last"), ("a", "event after 2")]


def test_async_handler_answers_each_record_once_in_order(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"async-{tag}")
    given = app.topic(f"given-{tag}", key=str, value=str, partitions=2)
    results = app.topic(f"results-{tag}", key=str, value=str, partitions=1)

    @app.handler(given, to=results, concurrency=50)
    async def answer(value: str) -> str:
        await asyncio.sleep(0.001 * (int(value) % 7))
        return value

    rows = [(f"k{n % 10}", str(n)) for n in range(500)]
    with worker_of(app, kafka, tmp_path):
        kafka.send(given.name, [(key.encode(), value.encode()) for key, value in rows])
        written = read_until(kafka, results.name, lambda written: len(written) >= 500)
    assert sorted(written) == sorted(rows)
    for key in {key for key, _ in rows}:
        assert [row for row in written if row[0] == key] == [row for row in rows if row[0] == key]


def test_initial_topic_fills_a_state_once_before_the_other_records(kafka: Any, tmp_path: Path) -> None:
    tag = uuid.uuid4().hex[:8]
    app = App(f"bank-{tag}")
    amounts = app.topic(f"amounts-{tag}", key=str, value=str, partitions=1)
    balances = app.topic(f"balances-{tag}", key=str, value=str, partitions=1)
    results = app.topic(f"results-{tag}", key=str, value=str, partitions=1)

    @app.processor(amounts, to=results)
    class Append(Processor[str, str, str]):
        text = ValueState(str, default="", initial=balances)

        def process(self, value: str, ctx: Context[str]) -> str:
            self.text.set(self.text.get() + value)
            return self.text.get()

    kafka.topic(amounts.name, 1)
    kafka.topic(balances.name, 1)
    kafka.send(amounts.name, [(b"a", b"x")])
    kafka.send(balances.name, [(b"b", b"-")] * 20_000 + [(b"a", b"A")])
    with worker_of(app, kafka, tmp_path / "first"):
        read_until(kafka, results.name, lambda rows: len(rows) >= 1)
    kafka.send(amounts.name, [(b"a", b"y"), (b"b", b"z")])
    with worker_of(app, kafka, tmp_path / "second"):
        written = read_until(kafka, results.name, lambda rows: len(rows) >= 3)
    assert written == [("a", "Ax"), ("a", "Axy"), ("b", "-z")]
