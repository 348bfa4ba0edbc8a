"""Joins of streams, merging and splitting, as Kafka Streams does it."""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, Stream
from framework.records import Records, TopicPartition
from framework.runtime.buffer import RecordBuffer
from framework.testing import TestDriver
from tests.vectors.runner import Built, Case, cases, check


def build_join(op: dict[str, Any]) -> Built:
    app = App("join")
    lefts = app.topic("L", key=str, value=str)
    rights = app.topic("R", key=str, value=str)
    joined = app.topic("joined", key=str, value=str)
    separator = op["joiner"].strip("lr")

    def text(left: str | None, right: str | None) -> str:
        return f"{left or 'null'}{separator}{right or 'null'}"

    times: dict[str, Any] = {"within": (f"{op['before']}ms", f"{op['after']}ms"), "grace": f"{op['grace']}ms"}

    @app.topology(lefts, rights, to=joined)
    def join(lefts: Stream[str, str], rights: Stream[str, str]) -> Stream[str, str]:
        match op["type"]:
            case "inner":
                return lefts.join(rights, value=text, **times)
            case "left":
                return lefts.left_join(rights, value=text, **times)
            case _:
                return lefts.outer_join(rights, value=text, **times)

    return Built(app, {"L": lefts, "R": rights}, joined)


@pytest.mark.parametrize("case", cases("streams.yaml", "SSJ-"))
def test_join_of_streams(case: Case) -> None:
    check(case, build_join(case["op"]))


@pytest.mark.parametrize("case", cases("streams.yaml", "MIS-01"))
def test_merge(case: Case) -> None:
    app = App("merge")
    topics = [app.topic(name, key=str, value=str) for name in case["op"]["topics"]]
    merged = app.topic("merged", key=str, value=str)

    @app.topology(*topics, to=merged)
    def merge(a: Stream[str, str], b: Stream[str, str], c: Stream[str, str], d: Stream[str, str]) -> Stream[str, str]:
        return a.merge(b, c, d)

    check(case, Built(app, {topic.name: topic for topic in topics}, merged))


PREDICATES: dict[str, Callable[[str], bool]] = {
    "even": lambda value: int(value[1:]) % 2 == 0,
    "x3": lambda value: int(value[1:]) % 3 == 0,
    "x5": lambda value: int(value[1:]) % 5 == 0,
    "neg": lambda value: int(value[1:]) < 0,
    "x7": lambda value: int(value[1:]) % 7 == 0,
}


@pytest.mark.parametrize("case", cases("streams.yaml", "MIS-03"))
def test_split(case: Case) -> None:
    names: list[str] = case["op"]["branches"]
    app = App("split")
    given = app.topic("I", key=str, value=str)
    outputs = {name: app.topic(name, key=str, value=str) for name in [*names, "default"]}

    @app.topology(given)
    def split(given: Stream[str, str]) -> None:
        parts = given.branch({name: PREDICATES[name] for name in names}, otherwise="default")
        for name, part in parts.items():
            part.to(outputs[name])

    with TestDriver(app) as driver:
        for step in case["steps"]:
            for _, key, value, timestamp in step["in"]:
                driver.send(given, value, key=str(key), at=timestamp)
            for name, expected in step["outs"].items():
                assert [value for _, value in driver.read(outputs[name])] == expected, name


@pytest.mark.parametrize("case", cases("streams.yaml", "REC-01"))
def test_order_of_several_inputs(case: Case) -> None:
    inputs = {name: TopicPartition(name, 0) for name in ("p1", "p2")}
    buffer = RecordBuffer(list(inputs.values()))
    for tp in inputs.values():
        buffer.drained(tp)
    for action, name, given in case["script"]:
        if action == "buffer":
            n = len(given)
            buffer.add(inputs[name], Records([None] * n, [None] * n, given, list(range(n))))
            buffer.drained(inputs[name])
        else:
            [(tp, records, _)] = buffer.take(1, 0)
            assert (tp.topic, records.timestamps) == (name, [given])
