"""How many records were dropped, when a chunk fails and its records run again one by one."""

import pytest

from framework import App, RecordError, Stream, Table
from framework.testing import TestDriver


def test_dropped_records_of_a_chunk_that_fails_are_counted_once() -> None:
    app = App("dropping")
    numbers = app.topic("numbers", key=str, value=int)
    totals = app.topic("totals", key=str, value=int)

    def add(total: int, number: int) -> int:
        if number == 3:
            raise ValueError("no three")
        return total + number

    @app.topology(numbers, to=totals)
    def run(given: Stream[str, int]) -> Table[str, int]:
        return given.group_by_key().aggregate(0, add, name="totals")

    with TestDriver(app, chunk=10) as driver:
        for number in (1, None, 2, 3, None, 4):
            driver.send(numbers, number, key="a", at=0)
        with pytest.raises(RecordError):
            driver.table(totals)
        assert driver.table(totals) == {"a": 7}
        assert driver.dropped == {("totals", "null key or value"): 2}
