"""Who sees that a function changed in place what it was given: the rows of the table in docs/semantics.md."""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, Stream, Table
from framework.testing import TestDriver

Numbers = list[int]


def change(numbers: Numbers) -> Numbers:
    numbers.append(0)
    return numbers


def changing(mark: str) -> Callable[[Numbers, str], Numbers]:
    """A join's function that changes its left value, and gives what it has now, as a value of its own."""
    return lambda numbers, _: [*change(numbers), len(mark)]


def same(numbers: Numbers) -> Numbers:
    return numbers[:]


class Driven:
    """An app with lists and texts as inputs, and one output."""

    def __init__(self, topology: Any, **options: Any) -> None:
        app = App("shared")
        self.lists = app.topic("lists", key=str, value=Numbers)
        self.texts = app.topic("texts", key=str, value=str)
        self.out = app.topic("out", key=str, value=Numbers)
        app.topology(self.lists, self.texts, to=self.out)(topology)
        self.driver = TestDriver(app, **options)

    def read(self) -> list[Numbers]:
        return [numbers for _, numbers in self.driver.read(self.out)]


@pytest.mark.parametrize("is_first", [True, False])
def test_value_changed_by_a_step_is_changed_for_steps_declared_after_it(is_first: bool) -> None:
    def topology(lists: Stream[str, Numbers], texts: Stream[str, str]) -> Stream[str, Numbers]:
        if is_first:
            lists.map(change)
        seen = lists.map(same)
        if not is_first:
            lists.map(change)
        return seen

    driven = Driven(topology)
    with driven.driver as driver:
        driver.send(driven.lists, [1], key="k")
        assert driven.read() == ([[1, 0]] if is_first else [[1]])


def test_value_changed_by_a_filter_is_changed_for_functions_but_not_in_the_bytes_that_pass() -> None:
    def topology(lists: Stream[str, Numbers], texts: Stream[str, str]) -> Stream[str, Numbers]:
        passed = lists.filter(change)
        return passed.merge(passed.map(same).map(same))

    def bytes_only(lists: Stream[str, Numbers], texts: Stream[str, str]) -> Stream[str, Numbers]:
        return lists.filter(change)

    for declared, expected in ((topology, [[1, 0], [1, 0]]), (bytes_only, [[1]])):
        driven = Driven(declared)
        with driven.driver as driver:
            driver.send(driven.lists, [1], key="k")
            assert driven.read() == expected


def test_row_changed_by_a_join_is_changed_for_later_look_ups_until_it_is_read_again() -> None:
    def topology(lists: Table[str, Numbers], texts: Stream[str, str]) -> Stream[str, Numbers]:
        return texts.join(lists, value=lambda _, numbers: change(numbers)[:], type=Numbers)

    driven = Driven(topology, chunk=1)
    with driven.driver as driver:
        driver.send(driven.lists, [1], key="k")
        for _ in range(2):
            driver.send(driven.texts, "t", key="k")
        assert driven.read() == [[1, 0], [1, 0, 0]]
        driver.restart()
        driver.send(driven.texts, "t", key="k")
        assert driven.read() == [[1, 0]]


def test_value_changed_by_a_join_of_streams_is_changed_for_nobody() -> None:
    def topology(lists: Stream[str, Numbers], texts: Stream[str, str]) -> Stream[str, Numbers]:
        joined = lists.join(texts, value=changing("a"), within="1s", type=Numbers)
        return joined.merge(lists.map(same))

    driven = Driven(topology)
    with driven.driver as driver:
        driver.send(driven.lists, [1], key="k", at=0)
        for _ in range(2):
            driver.send(driven.texts, "t", key="k", at=0)
        assert driven.read() == [[1], [1, 0, 1], [1, 0, 1]]
