"""Values of every type that the language promises go through topics, stores and changelogs, and come back equal."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypedDict

import msgspec
import pydantic
import pytest

from framework import App, Stream, Table
from framework.testing import TestDriver


@dataclass
class Item:
    """A dataclass, with another inside."""

    name: str
    tags: list[str]


@dataclass
class Order:
    """A dataclass that holds most of the others."""

    id: uuid.UUID
    at: datetime
    items: list[Item]
    note: str | None = None


class Point(msgspec.Struct):
    """A Struct."""

    x: int
    y: float


class Person(pydantic.BaseModel):
    """A pydantic model."""

    name: str
    age: int | None = None


class Movie(TypedDict):
    """A TypedDict."""

    title: str
    year: int


ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)
VALUES: dict[str, tuple[Any, Any]] = {
    "str": (str, "grün"),
    "bytes": (bytes, b"\x00\xff"),
    "int": (int, -(2**40)),
    "float": (float, 0.1),
    "bool": (bool, False),
    "UUID": (uuid.UUID, ID),
    "datetime": (datetime, NOON),
    "dataclass": (Order, Order(ID, NOON, [Item("pen", ["a", "b"])])),
    "Struct": (Point, Point(1, 2.5)),
    "pydantic model": (Person, Person(name="anna")),
    "TypedDict": (Movie, {"title": "M", "year": 1931}),
    "list": (list[int], [1, 2]),
    "list of dataclasses": (list[Item], [Item("pen", [])]),
    "dict": (dict[str, int], {"a": 1}),
    "Optional": (list[str | None], ["a", None]),
    "Union": (int | str, "1"),
    "Union of dataclasses": (Item | Order, Item("pen", [])),
    "list of a Union of dataclasses": (list[Item | Order], [Item("pen", []), Order(ID, NOON, [])]),
    "Union of a dataclass and a model": (Item | Person, Person(name="anna")),
    "Union in a dict": (dict[str, int | str], {"a": 1, "b": "1"}),
}
KEYS: dict[str, tuple[Any, Any]] = {
    name: VALUES[name] for name in ("str", "bytes", "int", "float", "bool", "UUID", "datetime", "Struct", "dataclass")
}


def latest(key_type: Any, value_type: Any, serde: str | None) -> tuple[App, Any, Any]:
    app = App("values")
    given = app.topic("given", key=key_type, value=value_type, serde=serde)
    kept = app.topic("kept", key=key_type, value=value_type, serde=serde)
    annotation: Any = Stream[key_type, value_type]
    returned: Any = Table[key_type, value_type]

    @app.topology(given, to=kept)
    def keep(given: annotation) -> returned:
        return given.group_by_key().reduce(lambda old, new: new)

    return app, given, kept


def test_value_as_avro_comes_back_from_topic_store_and_changelog() -> None:
    app, given, kept = latest(str, Point, "avro")
    with TestDriver(app) as driver:
        driver.send(given, Point(1, 2.5), key="k")
        driver.restart()
        assert driver.read(kept) == [("k", Point(1, 2.5))]
        assert driver.store("keep.reduce")["k"] == Point(1, 2.5)


@pytest.mark.parametrize(("value_type", "value"), VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("serde", [None, "json", "msgpack"], ids=["by type", "json", "msgpack"])
def test_value_of_each_type_comes_back_from_topic_store_and_changelog(
    value_type: Any, value: Any, serde: str | None
) -> None:
    app, given, kept = latest(str, value_type, serde)
    with TestDriver(app) as driver:
        driver.send(given, value, key="k")
        driver.restart()
        assert driver.read(kept) == [("k", value)]
        assert driver.store("keep.reduce")["k"] == value


@pytest.mark.parametrize(("key_type", "key"), KEYS.values(), ids=KEYS)
def test_key_of_each_type_comes_back(key_type: Any, key: Any) -> None:
    app, given, kept = latest(key_type, int, None)
    with TestDriver(app, partitions=3) as driver:
        driver.send(given, 1, key=key)
        driver.restart()
        driver.send(given, 2, key=key)
        assert driver.read(kept) == [(key, 1), (key, 2)]


def test_none_is_a_tombstone_of_a_table() -> None:
    app = App("tombstones")
    given = app.topic("given", key=str, value=int)
    doubled = app.topic("doubled", key=str, value=int)

    @app.topology(given, to=doubled)
    def double(given: Table[str, int]) -> Table[str, int]:
        return given.map(lambda n: 2 * n)

    with TestDriver(app) as driver:
        driver.send(given, 1, key="a")
        driver.send(given, None, key="a")
        assert driver.read(doubled) == [("a", 2), ("a", None)]
        assert driver.table(doubled) == {}


def test_lambda_whose_type_nobody_states_is_json_at_a_boundary() -> None:
    app = App("lambdas")
    lines = app.topic("lines", value=str)
    counts = app.topic("counts", key=str, value=int)

    @app.topology(lines, to=counts)
    def count(lines: Stream[None, str]) -> Table[str, int]:
        return (
            lines.map(lambda line: {"word": line, "length": len(line)})
            .group_by(lambda row: row["word"])
            .count(changes="all")
        )

    with TestDriver(app) as driver:
        driver.send(lines, "to")
        assert driver.read(counts) == [("to", 1)]
        [moved] = driver.records("lambdas-count.group_by-repartition")
        assert moved.value == {"word": "to", "length": 2}


@dataclass
class Left:
    """Written like Right."""

    x: int


@dataclass
class Right:
    """Written like Left."""

    x: int


def test_value_that_would_be_read_as_another_class_is_refused_while_writing() -> None:
    app, given, kept = latest(str, Left | Right, None)
    with TestDriver(app) as driver:
        driver.send(given, Left(1), key="k")
        with pytest.raises(TypeError, match="would be read as Left"):
            driver.send(given, Right(1), key="k")
        assert driver.read(kept) == [("k", Left(1))]
