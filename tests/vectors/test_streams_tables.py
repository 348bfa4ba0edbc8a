"""Tables, their groupings and joins, against the cases recorded from Kafka Streams."""

from typing import Any

import pytest

from framework import App, Stream, Table
from framework.dsl import GlobalTable
from tests.vectors.runner import Built, Case, cases, check


def _topics(app: App, **histories: int | None) -> dict[str, Any]:
    return {
        name: app.topic(name, key=str, value=str, history=None if history is None else f"{history}ms")
        for name, history in histories.items()
    }


def _joiner(text: str) -> Any:
    """`l+r`, `l-r` or `(l,r)`: None prints as null."""

    def join(left: Any, right: Any) -> str:
        shown = {"l": "null" if left is None else left, "r": "null" if right is None else right}
        return "".join(shown.get(sign, sign) for sign in text)

    return join


def join_of_tables(op: dict[str, Any]) -> Built:
    app = App("case")
    inputs = _topics(app, L=op.get("left_versioned"), R=op.get("right_versioned"))
    out = app.topic("out", key=str, value=str)

    @app.topology(inputs["L"], inputs["R"], to=out)
    def join(left: Table[str, str], right: Table[str, str]) -> Table[str, str]:
        if "left_suppress" in op:
            left = left.suppress(until=f"{op['left_suppress']}ms")
        verb = {"inner": left.join, "left": left.left_join, "outer": left.outer_join}[op["type"]]
        return verb(right, value=_joiner(op["joiner"]), type=str)

    return Built(app, inputs, out)


def join_by_foreign_key(op: dict[str, Any]) -> Built:
    app = App("case")
    inputs = _topics(app, L=op.get("left_versioned"), R=op.get("right_versioned"))
    out = app.topic("out", key=str, value=str)

    def foreign_key(value: str) -> str | None:
        named = value.split("|")[1]
        return None if named == "returnNull" else named

    @app.topology(inputs["L"], inputs["R"], to=out)
    def join(left: Table[str, str], right: Table[str, str]) -> Table[str, str]:
        verb = {"inner": left.join, "left": left.left_join}[op["type"]]
        return verb(right, on=foreign_key, value=_joiner(op["joiner"]), type=str)

    return Built(app, inputs, out)


def join_of_stream_and_table(op: dict[str, Any]) -> Built:
    app = App("case")
    inputs = _topics(app, L=None, R=None)
    out = app.topic("out", key=str, value=str)

    @app.topology(inputs["L"], inputs["R"], to=out)
    def join(left: Stream[str, str], right: Table[str, str]) -> Stream[str, str]:
        verb = {"inner": left.join, "left": left.left_join}[op["type"]]
        return verb(right, value=_joiner(op["joiner"]), type=str)

    return Built(app, inputs, out)


def join_with_global_table(op: dict[str, Any]) -> Built:
    app = App("case")
    inputs = _topics(app, L=None, R=None)
    out = app.topic("out", key=str, value=str)

    @app.topology(inputs["L"], inputs["R"], to=out)
    def join(left: Stream[str, str], right: GlobalTable[str, str]) -> Stream[str, str]:
        verb = {"inner": left.join, "left": left.left_join}[op["type"]]
        return verb(right, key=lambda value: value.split(",")[1], value=_joiner(op["joiner"]), type=str)

    return Built(app, inputs, out)


def _special(key: str, value: str) -> tuple[str | None, str | None]:
    """The mapper of the recorded test: keys named null give no key, or no value."""
    return (None, value) if key == "null" else (value, None) if key == "NULL" else (value, value)


_MAPPERS: dict[str, Any] = {
    "identity": lambda key, value: (key, value),
    "swap": lambda key, value: (value, key),
    "value_value": lambda key, value: (value, value),
    "special": _special,
}


def aggregation_of_table(op: dict[str, Any]) -> Built:
    app = App("case")
    inputs = _topics(app, I=op.get("versioned"))
    out = app.topic("out", key=str, value=int if op["fn"] == "count" else str)

    @app.topology(inputs["I"], to=out)
    def aggregate(rows: Table[str, str]) -> Table[str, Any]:
        if "pre_suppress" in op:
            rows = rows.suppress(until=f"{op['pre_suppress']}ms")
        grouped = rows.group_by_items(_MAPPERS[op["mapper"]], key=str, type=str)
        result: Table[str, Any]
        if op["fn"] == "count":
            result = grouped.count()
        else:
            result = grouped.aggregate("0", lambda s, v: f"{s}+{v}", lambda s, v: f"{s}-{v}", type=str)
        if (limits := op.get("suppress")) is not None:
            until = None if limits["until"] == "inf" else f"{limits['until']}ms"
            result = result.suppress(until=until, max_records=limits.get("max_records"))
        return result

    return Built(app, inputs, out)


def table_from_topic(_: dict[str, Any]) -> Built:
    app = App("case")
    inputs = _topics(app, I=None)
    out = app.topic("out", key=str, value=str)

    @app.topology(inputs["I"], to=out)
    def read(rows: Table[str, str]) -> Table[str, str]:
        return rows

    return Built(app, inputs, out)


_BUILDERS = {
    "tt_join": join_of_tables,
    "fk_join": join_by_foreign_key,
    "st_join": join_of_stream_and_table,
    "sg_join": join_with_global_table,
    "table_agg": aggregation_of_table,
    "table_source": table_from_topic,
}
_CASES = [
    case
    for case in cases("streams.yaml", "TTJ", "FKJ", "STJ", "SGJ", "TAG", "SUP", "MIS-06")
    if case.values[0]["op"]["kind"] in _BUILDERS
]


@pytest.mark.parametrize("case", _CASES)
def test_tables(case: Case) -> None:
    check(case, _BUILDERS[case["op"]["kind"]](case["op"]))
