"""Cases recorded from Kafka Streams: methods called at the multiples of an interval."""

from collections.abc import Iterator

import pytest

from framework import App, Context, Processor, every
from framework.testing import TestDriver
from tests.vectors.runner import Case, cases


class StreamTimed(Processor[str, str, int]):
    def process(self, value: str, ctx: Context[str]) -> None: ...

    @every("10ms")
    def punctuate(self, ctx: Context[str]) -> Iterator[tuple[str, int]]:
        yield "punctuated", ctx.stream_time


class WallClocked(Processor[str, str, int]):
    def process(self, value: str, ctx: Context[str]) -> None: ...

    @every("10ms", clock="wall")
    def punctuate(self, ctx: Context[str]) -> Iterator[tuple[str, int]]:
        yield "punctuated", ctx.now


@pytest.mark.parametrize("case", cases("streams.yaml", "MIS-08", "MIS-09"))
def test_punctuation_is_as_recorded(case: Case) -> None:
    app = App("case")
    given = app.topic("given", key=str, value=str)
    results = app.topic("results", key=str, value=int)
    assert case["op"]["interval"] == 10
    app.processor(given, to=results)(StreamTimed if case["op"]["type"] == "stream_time" else WallClocked)
    with TestDriver(app) as driver:
        for number, step in enumerate(case["steps"], start=1):
            for row in step["in"]:
                if row[0] == "advance_wall_clock":
                    driver.advance(f"{row[1]}ms")
                else:
                    driver.send(given, row[2], key=row[1], at=row[3])
            assert [value for _, value in driver.read(results)] == step["punctuated"], f"step {number}"
