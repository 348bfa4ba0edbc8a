"""The test driver with `max_idle`: inputs of one task wait for each other, by the driver's clock."""

import pytest

from framework import App, RecordError, Stream
from framework.dsl import Topic
from framework.testing import TestDriver


class Merged:
    """Two inputs into one output; the value 13 cannot be processed."""

    def __init__(self, max_idle: str = "1s") -> None:
        self.app = app = App("merged", max_idle=max_idle)
        self.first: Topic[str, int] = app.topic("first", key=str, value=int, timestamp=lambda n: n)
        self.second: Topic[str, int] = app.topic("second", key=str, value=int)
        self.out: Topic[str, int] = app.topic("out", key=str, value=int)

        @app.topology(self.first, self.second, to=self.out)
        def merge(first: Stream[str, int], second: Stream[str, int]) -> Stream[str, int]:
            return first.merge(second).map(refuse_13)


def refuse_13(n: int) -> int:
    if n == 13:
        raise ValueError("13 brings bad luck")
    return n


# Source: TopologyTestDriverTest#shouldRespectTaskIdling of Kafka Streams.
def test_record_waits_for_the_other_input_until_max_idle_has_passed() -> None:
    merged = Merged()
    with TestDriver(merged.app) as driver:
        driver.send(merged.first, 0, key="A")
        driver.advance("1ms")
        assert driver.read(merged.out) == []
        driver.send(merged.second, 1, key="B")
        assert driver.read(merged.out) == [("A", 0)]
        driver.advance("1s")
        assert driver.read(merged.out) == [("B", 1)]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_inputs_are_merged_by_the_timestamps_that_their_values_give(chunk: int) -> None:
    merged = Merged()
    with TestDriver(merged.app, chunk=chunk) as driver:
        for n in (10, 30, 20):
            driver.send(merged.first, n, key="a", at=1_000_000)
        for n in (15, 25, 35):
            driver.send(merged.second, n, key="b", at=n)
        driver.advance("2s")
        assert [n for _, n in driver.read(merged.out)] == [10, 15, 25, 30, 20, 35]


def test_without_max_idle_inputs_are_read_in_the_order_of_sending() -> None:
    merged = Merged(max_idle="0s")
    with TestDriver(merged.app) as driver:
        driver.send(merged.second, 9, key="b", at=9)
        driver.send(merged.first, 1, key="a")
        assert [n for _, n in driver.read(merged.out)] == [9, 1]


@pytest.mark.parametrize("chunk", [1, 100])
def test_record_that_fails_while_inputs_wait_leaves_the_others(chunk: int) -> None:
    merged = Merged()
    with TestDriver(merged.app, chunk=chunk) as driver:
        for n in (10, 13, 20):
            driver.send(merged.first, n, key="a")
        with pytest.raises(RecordError, match="first-0 at offset 1"):
            driver.send(merged.second, 30, key="b", at=30)
            driver.read(merged.out)
        assert [n for _, n in driver.read(merged.out)] == [10, 20]
        driver.advance("1s")
        assert [n for _, n in driver.read(merged.out)] == [30]


def test_what_waits_at_a_crash_is_read_again_and_waits_anew() -> None:
    merged = Merged()
    with TestDriver(merged.app) as driver:
        driver.send(merged.first, 1, key="a")
        driver.advance("600ms")
        driver.restart()
        driver.advance("600ms")
        assert driver.read(merged.out) == []
        driver.advance("400ms")
        assert [n for _, n in driver.read(merged.out)] == [1]


def test_version_without_max_idle_reads_what_waited() -> None:
    merged = Merged()
    with TestDriver(merged.app) as driver:
        driver.send(merged.first, 1, key="a")
        assert driver.read(merged.out) == []
        driver.restart(Merged(max_idle="0s").app)
        assert [n for _, n in driver.read(merged.out)] == [1]
