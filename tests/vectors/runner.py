"""Runs cases written as data through the test driver; what the fields mean is in the heads of the data files.

A room's test builds an app for the operator of a case (`Built`) and calls `check`. Keys and values of the cases are
texts; what comes out is compared as text, tombstones as None.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from framework import App, Topic, Windowed
from framework.testing import TestDriver

Case = dict[str, Any]
Row = tuple[str | None, str | None, int]
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Built:
    """An app for a case: its topics by the names the case uses, and where results come out."""

    app: App
    inputs: Mapping[str, Topic[Any, Any]]
    output: Topic[Any, Any]
    driver_options: Mapping[str, Any] = field(default_factory=dict)


def load(file: str) -> list[Case]:
    """The cases of a file beside this one."""
    loaded: list[Case] = yaml.safe_load((_HERE / file).read_text())
    return loaded


def cases(file: str, *prefixes: str) -> list[Any]:
    """The cases whose ids begin so, each as a parameter named by its id."""
    found = [case for case in load(file) if case["id"].startswith(prefixes)]
    assert found, f"no case of {file} begins with {prefixes}"
    return [pytest.param(case, id=case["id"]) for case in found]


def structured(*ids: str) -> pytest.MarkDecorator:
    """Run a test with the cases of Structured Streaming that have these ids: its parameter `case`."""
    by_id = {case["id"]: case for case in load("structured.yaml")}
    return pytest.mark.parametrize("case", [pytest.param(by_id[name], id=name) for name in ids])


def check(case: Case, built: Built) -> None:
    """Feed the steps of a case, and compare what each gives."""
    with TestDriver(built.app, **built.driver_options) as driver:
        seen = 0
        for number, step in enumerate(case["steps"], start=1):
            for given in step["in"]:
                feed(driver, built, given)
            rows = [(text(r.key), text(r.value), r.timestamp_ms) for r in driver.records(built.output)]
            _compare(case, number, rows[seen:], [(text(k), text(v), t) for k, v, t in step["out"]])
            seen = len(rows)


def feed(driver: TestDriver, built: Built, given: list[Any]) -> None:
    """One input of a step: a record, or the wall clock moves."""
    if given[0] == "advance_wall_clock":
        driver.advance(f"{given[1]}ms")
        return
    topic, key, value, timestamp = given
    driver.send(built.inputs[topic], text(value), key=text(key), at=timestamp)


def text(part: object) -> str | None:
    """A key or a value as the cases write it; a windowed key stands in brackets."""
    if isinstance(part, Windowed):
        return f"[{part}]"
    return None if part is None else str(part)


def _compare(case: Case, number: int, got: list[Row], expected: list[Row]) -> None:
    where = f"{case['id']}, step {number}"
    match case.get("order"):
        case "any":
            assert Counter(got) == Counter(expected), where
        case "last":
            last = {row[0]: row for row in got}
            wanted = {row[0]: row for row in expected}
            assert {key: last.get(key) for key in wanted} == wanted, where
        case _:
            assert got == expected, where
