"""Partitions without records follow their peers, by the driver's clock."""

import pytest

from framework import App, Stream, Table, Topic, Windowed, tumbling
from framework.testing import TestDriver


def windowed(idle_timeout: str | None) -> tuple[App, Topic[str, int], Topic[Windowed[str], int]]:
    app = App("idle", idle_timeout=idle_timeout)
    source, out = app.topic("in", key=str, value=int), app.topic("out", key=Windowed[str], value=int)

    @app.topology(source, to=out)
    def total(source: Stream[str, int]) -> Table[Windowed[str], int]:
        return source.group_by_key().window(tumbling("10s", grace="0s")).sum(emit="final")

    return app, source, out


def test_idle_partition_follows_its_peer_after_the_timeout() -> None:
    app, source, out = windowed("5s")
    with TestDriver(app, partitions=2) as driver:
        driver.send(source, 1, key="a", at=1_000, partition=0)
        driver.send(source, 2, key="b", at=60_000, partition=1)
        driver.advance("4999ms")
        assert driver.read(out) == []
        driver.advance("1ms")
        assert driver.read(out) == [(Windowed("a", 0, 10_000), 1)]
        driver.send(source, 4, key="a", at=2_000, partition=0)
        driver.send(source, 8, key="a", at=61_000, partition=0)
        driver.advance("10s")
        assert driver.read(out) == []


def test_partition_that_gets_records_does_not_follow() -> None:
    app, source, out = windowed("5s")
    with TestDriver(app, partitions=2) as driver:
        driver.send(source, 2, key="b", at=60_000, partition=1)
        driver.advance("4s")
        driver.send(source, 1, key="a", at=1_000, partition=0)
        driver.advance("4s")
        assert driver.read(out) == []


def test_idle_partition_follows_the_slowest_of_those_that_get_records() -> None:
    app, source, out = windowed("5s")
    with TestDriver(app, partitions=3) as driver:
        driver.send(source, 1, key="a", at=1_000, partition=0)
        driver.send(source, 1, key="a", at=31_000, partition=0)
        driver.advance("4s")
        driver.send(source, 2, key="b", at=60_000, partition=1)
        driver.send(source, 2, key="c", at=35_000, partition=2)
        driver.read(out)
        driver.advance("2s")
        assert driver.read(out) == []
        driver.advance("4s")
        assert sorted(driver.read(out)) == [(Windowed("a", 30_000, 40_000), 1), (Windowed("c", 30_000, 40_000), 2)]


@pytest.mark.parametrize("partitions", [1, 2])
def test_without_idle_timeout_nothing_comes_without_a_record(partitions: int) -> None:
    app, source, out = windowed(None)
    with TestDriver(app, partitions=partitions) as driver:
        driver.send(source, 1, key="a", at=1_000, partition=0)
        driver.send(source, 2, key="b", at=60_000, partition=partitions - 1)
        driver.read(out)
        driver.advance("1h")
        assert driver.read(out) == []
