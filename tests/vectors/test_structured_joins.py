"""Joins and deduplication as Structured Streaming does it: the rows its cases end with, step by step where they agree.

A time window that its queries join on is here the time of the records: each is stamped with the end of its window, and
equal times are joined (`within="0s"`). The delay of the watermark is the grace.
"""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, Stream, Table
from framework.dsl import Topic
from framework.testing import TestDriver
from tests.vectors.runner import Case, structured

FOREVER = "365000d"


def window_end_ms(second: int) -> int:
    return (second // 10 + 1) * 10_000


class Windowed:
    """Joins seconds n of two inputs, as 2n and 3n, on n and its window of 10 s; rows are [n, end of window, 2n, 3n]."""

    def __init__(self, kind: str, **options: Any) -> None:
        self.app = app = App("windowed")
        self.inputs: dict[str, Topic[int, int]] = {
            side: app.topic(side, key=int, value=int) for side in ("L", "R")
        }  # fmt: skip
        self.out = app.topic("out", key=int, value=list[int | None])

        def pair(left: int | None, right: int | None) -> list[int | None]:
            return [left, right]

        @app.topology(self.inputs["L"], self.inputs["R"], to=self.out)
        def join(lefts: Stream[int, int], rights: Stream[int, int]) -> Stream[int, list[int | None]]:
            lefts = lefts.with_timestamps(window_end_ms).map(lambda n: 2 * n, type=int)
            rights = rights.with_timestamps(window_end_ms).map(lambda n: 3 * n, type=int)
            match kind:
                case "left_semi":
                    return lefts.semi_join(rights, within="0s", late="drop", **options).map(lambda left: [left])
                case "right_outer":
                    return rights.left_join(
                        lefts, value=lambda right, left: [left, right], within="0s", late="drop", **options
                    )
                case "left_outer":
                    return lefts.left_join(rights, value=pair, within="0s", late="drop", **options)
                case "full_outer":
                    return lefts.outer_join(rights, value=pair, within="0s", late="drop", **options)
                case _:
                    return lefts.join(rights, value=pair, within="0s", late="drop", **options)

    def check(self, inputs: list[dict[str, list[int]]], expected: list[list[list[Any]]], *, restarts: bool) -> None:
        with TestDriver(self.app) as driver:
            seen = 0
            for given, rows in zip(inputs, expected, strict=False):
                for side, numbers in given.items():
                    for n in numbers:
                        driver.send(self.inputs[side], n, key=n)
                records = driver.records(self.out)
                found = [[r.key, r.timestamp_ms // 1000, *r.value] for r in records[seen:]]
                assert sorted(found, key=repr) == sorted(rows, key=repr)
                seen = len(records)
                if restarts:
                    driver.restart()


@structured("V-G6")
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("kind", ["left_outer", "right_outer", "full_outer", "left_semi"])
def test_v_g6_windowed_joins(case: Case, kind: str, restarts: bool) -> None:
    Windowed(kind, grace="10s").check(case["steps_in"], case[kind], restarts=restarts)


@structured("V-G3")
@pytest.mark.parametrize(("part", "grace"), [("without", FOREVER), ("with_on_left_only", "10s")])
def test_v_g3_inner_join_on_windows(case: Case, part: str, grace: str) -> None:
    steps = case[part]
    Windowed("inner", grace=grace).check(
        [step["in"] for step in steps], [step["new"] for step in steps], restarts=False
    )


@structured("V-G2")
def test_v_g2_inner_join_without_limit(case: Case) -> None:
    app = App("unlimited")
    lefts, rights = app.topic("L", key=int, value=int), app.topic("R", key=int, value=int)
    out = app.topic("out", key=int, value=list[int])

    @app.topology(lefts, rights, to=out)
    def join(lefts: Stream[int, int], rights: Stream[int, int]) -> Stream[int, list[int]]:
        return lefts.join(rights, value=lambda left, right: [2 * left, 3 * right], within=FOREVER)

    with TestDriver(app) as driver:
        for step in case["steps"]:
            if step == "restart":
                driver.restart()
                continue
            for side, numbers in step["in"].items():
                for n in numbers:
                    driver.send(lefts if side == "L" else rights, n, key=n, at=0)
            assert [[key, *value] for key, value in driver.read(out)] == step["new"]


@structured("V-G7")
@pytest.mark.parametrize("kind", ["left", "right"])
def test_v_g7_outer_join_on_a_range_of_times_ends_with_its_rows(case: Case, kind: str) -> None:
    app = App("range")
    lefts, rights = app.topic("L", key=int, value=int), app.topic("R", key=int, value=int)
    out = app.topic("out", key=int, value=list[int | None])

    @app.topology(lefts, rights, to=out)
    def join(lefts: Stream[int, int], rights: Stream[int, int]) -> Stream[int, list[int | None]]:
        if kind == "left":
            return lefts.left_join(rights, value=lambda left, right: [left, right], within="5s", grace="10s")
        return rights.left_join(lefts, value=lambda right, left: [left, right], within="5s", grace="10s")

    expected = []
    with TestDriver(app) as driver:
        for step in case["steps"]:
            for side, rows in step["in"].items():
                for key, second in rows:
                    driver.send(lefts if side == "L" else rights, second, key=key, at=1000 * second)
            expected += step.get("new", []) + step.get(f"new_{kind}_outer", [])
        found = [
            [key if left is not None else None, key if right is not None else None, left, right]
            for key, (left, right) in driver.read(out)
        ]
        assert sorted(found, key=repr) == sorted(expected, key=repr)


@structured("V-G12")
def test_v_g12_null_keys_match_nothing(case: Case) -> None:
    app = App("nulls")
    lefts, rights = app.topic("L", key=int, value=int), app.topic("R", key=int, value=int)
    out = app.topic("out", key=int, value=list[int])

    @app.topology(lefts, rights, to=out)
    def join(lefts: Stream[int, int], rights: Stream[int, int]) -> Stream[int, list[int]]:
        return lefts.join(rights, value=lambda left, right: [2 * left, 3 * right], within=FOREVER)

    nulls = case["cases"][1]
    with TestDriver(app) as driver:
        for side, numbers in nulls["in"].items():
            for n in numbers:
                driver.send(lefts if side == "L" else rights, n or 0, key=n, at=0)
        assert [[key, key, *value] for key, value in driver.read(out)] == nulls["new"]


class Deduplicated:
    """Rows of [id, second] without their repeats."""

    def __init__(self, within: str, fn: Callable[[list[Any]], Any]) -> None:
        self.app = app = App("deduplicated")
        self.rows = app.topic("rows", value=list[Any], timestamp=lambda row: 1000 * row[1])
        self.passed = app.topic("passed", value=list[Any])

        @app.topology(self.rows, to=self.passed)
        def once(rows: Stream[None, list[Any]]) -> Stream[None, list[Any]]:
            return rows.deduplicate(fn, within=within)

    def check(self, steps: list[tuple[list[Any], list[Any]]]) -> None:
        """Rows in, and rows that pass."""
        with TestDriver(self.app) as driver:
            for rows, expected in steps:
                for row in rows:
                    driver.send(self.rows, row)
                assert [row for _, row in driver.read(self.passed)] == expected
                driver.restart()


@structured("V-F2")
def test_v_f2_time_is_the_id(case: Case) -> None:
    first, *rest = case["steps"]
    steps = [([n for n in range(10, 16) for _ in range(5)], first["new"])]
    steps += [(step["in"], step["new"]) for step in rest]
    Deduplicated("10s", lambda row: row[1]).check(
        [([[0, n] for n in given], [[0, n] for n in passed]) for given, passed in steps]
    )


@structured("V-F3")
def test_v_f3_id_and_time_are_the_id(case: Case) -> None:
    steps = case["cases"][0]["steps"]
    rows = [([[key, time] for time, key in step["in"]], step["new"]) for step in steps]
    app = Deduplicated("1s", lambda row: f"{row[0]} {row[1]}")
    app.check(
        [(given, [row for i, row in enumerate(given) if row[0] in new and row not in given[:i]]) for given, new in rows]
    )


@structured("V-F3")
def test_v_f3_id_alone_is_the_id(case: Case) -> None:
    [step] = case["cases"][1]["steps"]
    Deduplicated("2s", lambda row: row[0]).check([(step["in"], step["new"])])


@structured("V-F4")
def test_v_f4_repeats_are_not_summed(case: Case) -> None:
    app = App("summed")
    rows = app.topic("rows", key=str, value=int)
    sums = app.topic("sums", key=str, value=int)

    @app.topology(rows, to=sums)
    def add(rows: Stream[str, int]) -> Table[str, int]:
        once = rows.map_items(lambda key, n: (key, [key, n]), key=str, type=list[Any])
        return once.deduplicate(lambda row: row, within=FOREVER).map(lambda row: row[1], type=int).group_by_key().sum()

    with TestDriver(app) as driver:
        for step in case["cases"][1]["steps"]:
            for key, n in step["in"]:
                driver.send(rows, n, key=key, at=0)
            assert [[key, n] for key, n in driver.read(sums)] == step["last"]


@structured("V-F6")
def test_v_f6_within_the_time_over_a_restart(case: Case) -> None:
    steps = [step for step in case["steps"] if isinstance(step, dict)]
    Deduplicated("10s", lambda row: row[0]).check([(step["in"], step["new"]) for step in steps])
