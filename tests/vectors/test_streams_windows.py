"""Aggregations of streams, plain and windowed, as recorded from Kafka Streams (streams.yaml)."""

from typing import Any

import pytest

from framework import App, Stream, Table, Windowed, hopping, session, sliding, tumbling
from tests.vectors.runner import Built, Case, cases, check

AGGREGATED = [
    case
    for case in cases("streams.yaml", "AGG-", "TUM-", "HOP-", "SES-", "SLI-", "DED-", "SUP-")
    if case.values[0]["op"]["kind"] == "stream_agg"
]


def windows_of(window: dict[str, Any]) -> Any:
    grace = f"{window['grace']}ms"
    match window["type"]:
        case "time":
            if "advance" in window:
                return hopping(f"{window['size']}ms", f"{window['advance']}ms", grace=grace)
            return tumbling(f"{window['size']}ms", grace=grace)
        case "session":
            return session(f"{window['gap']}ms", grace=grace)
        case _:
            return sliding(f"{window['diff']}ms", grace=grace)


def build(op: dict[str, Any]) -> Built:
    """An app for `stream_agg`."""
    app = App("case")
    given = app.topic("I", key=str, value=str)
    key: Any = Windowed[str] if "window" in op else str
    value: Any = int if op["fn"] == "count" else str
    results = app.topic("results", key=key, value=value)
    returned: Any = Table[key, value]

    @app.topology(given, to=results)
    def case(given: Stream[str, str]) -> returned:
        grouped: Any = given.group_by(lambda v: v) if op.get("group_by") else given.group_by_key()
        table = aggregated(grouped, op)
        if "suppress" not in op:
            return table
        until = op["suppress"]["until"]
        return table.suppress(until="window closes" if until == "window_close" else f"{until}ms")

    return Built(app, {"I": given}, results)


def aggregated(grouped: Any, op: dict[str, Any]) -> Any:
    options: dict[str, Any] = {}
    if window := op.get("window"):
        grouped = grouped.window(windows_of(window))
        options["emit"] = "final" if op.get("emit") == "close" else "changes"
    if op["fn"] == "count":
        return grouped.count(**options)
    if op["fn"] == "reduce":
        return grouped.reduce(lambda a, b: a + op.get("sep", "+") + b, **options)
    if window and window["type"] == "session":
        options["merge"] = lambda left, right: f"{left}+{right}"
    return grouped.aggregate(op.get("init", "0"), lambda state, v: f"{state}+{v}", **options)


@pytest.mark.parametrize("case", AGGREGATED)
def test_case(case: Case) -> None:
    check(case, build(case["op"]))


@pytest.mark.parametrize("case", cases("streams.yaml", "MIS-07"))
def test_cogroup(case: Case) -> None:
    app = App("case")
    a = app.topic("A", key=str, value=str)
    b = app.topic("B", key=str, value=str)
    results = app.topic("results", key=str, value=str)

    @app.topology(a, b, to=results)
    def mixed(a: Stream[str, str], b: Stream[str, str]) -> Table[str, str]:
        first, second = a.group_by_key(), b.group_by_key()
        return first.cogroup({first: lambda s, v: f"{s}-{v}", second: lambda s, v: f"{s}+{v}"}, initial="0")

    check(case, Built(app, {"A": a, "B": b}, results))
