"""Avro: what other programs write and read, what is malformed, what has no form."""

import io
from dataclasses import dataclass, field
from typing import Any

import fastavro
import msgspec
import pydantic
import pytest

from serde import SerdeError, for_type
from serde.avro import AvroSerde
from serde.shapes import difference, shape_of


class Line(msgspec.Struct, rename="camel"):
    article_name: str
    quantity: int


@dataclass(kw_only=True)
class Order:
    id: bytes
    lines: list[Line]
    first: Line | None
    prices: dict[str, float]
    is_paid: bool
    note: str | None = None


SCHEMA = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "bytes"},
        {
            "name": "lines",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Line",
                    "fields": [{"name": "articleName", "type": "string"}, {"name": "quantity", "type": "long"}],
                },
            },
        },
        {"name": "first", "type": ["null", "Line"]},
        {"name": "prices", "type": {"type": "map", "values": "double"}},
        {"name": "is_paid", "type": "boolean"},
        {"name": "note", "type": ["null", "string"]},
    ],
}
NAIL, LONG = Line("nail", -(2**63)), Line("ä" * 10_000, 2**63 - 1)
ORDERS = [
    Order(id=b"", lines=[], first=None, prices={}, is_paid=False),
    Order(id=b"\x00" * 70, lines=[NAIL, LONG], first=LONG, prices={"ä": 0.1, "b": -1.5}, is_paid=True, note="n"),
    Order(id=b"1", lines=[Line("", n) for n in (0, -1, 63, 64, 8191, 8192)], first=NAIL, prices={}, is_paid=True),
]  # fmt: skip


def plain(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=(bytes,))


def test_schema_of_a_type_is_what_the_specification_says() -> None:
    serde = for_type(Order, "avro")
    assert isinstance(serde, AvroSerde)
    assert serde.schema == SCHEMA


@pytest.mark.parametrize("order", ORDERS, ids=["empty", "large", "many numbers"])
def test_another_library_reads_what_is_written_and_writes_what_is_read(order: Order) -> None:
    serde, theirs = for_type(Order, "avro"), io.BytesIO()
    fastavro.schemaless_writer(theirs, fastavro.parse_schema(SCHEMA), plain(order))
    assert serde.deserialize(theirs.getvalue()) == order
    assert fastavro.schemaless_reader(io.BytesIO(serde.serialize(order)), SCHEMA, None) == plain(order)


def test_blocks_with_their_sizes_are_read() -> None:
    assert for_type(list[int], "avro").deserialize(b"\x03\x04\x02\x04\x02\x06\x00") == [1, 2, 3]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b"", "it ends too early", id="nothing"),
        pytest.param(b"\x06ab", "it ends too early", id="text ends early"),
        pytest.param(b"\x02a\x80", "it ends too early", id="number ends early"),
        pytest.param(b"\x02a\x02\x00", "1 bytes behind the end", id="something behind it"),
        pytest.param(b"\x01a\x02", "a negative length", id="negative length"),
        pytest.param(b"\x02a" + b"\xff" * 9 + b"\x02", "more than 64 bits", id="number too large"),
    ],
)
def test_malformed_data_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(SerdeError, match=reason):
        for_type(Line, "avro").deserialize(data)


def test_wrong_value_inside_is_told_with_its_place() -> None:
    order = Order(id=b"", lines=[NAIL, Line("nail", "1")], first=None, prices={}, is_paid=False)  # type: ignore[arg-type]
    with pytest.raises(SerdeError, match=r"expected int at \$\.lines\[1\]\.quantity, got str"):
        for_type(Order, "avro").serialize(order)


class Model(pydantic.BaseModel):
    name: str


class Empty(msgspec.Struct):
    pass


@dataclass
class Computed:
    n: int
    twice: int = field(init=False)


@pytest.mark.parametrize("tp", [Any, int | str, dict[int, str], set[int], Model, list[Model], Empty, Computed], ids=str)
def test_type_without_a_form_is_refused(tp: object) -> None:
    with pytest.raises(SerdeError, match="cannot carry values of type"):
        for_type(tp, "avro")


def test_two_records_of_one_name_are_refused() -> None:
    other = msgspec.defstruct("Line", [("x", int)])
    with pytest.raises(SerdeError, match="two records of it are called Line"):
        for_type(msgspec.defstruct("Both", [("a", Line), ("b", other)]), "avro")


def test_field_added_is_another_shape() -> None:
    longer = msgspec.defstruct("Line", [("article_name", str), ("quantity", int), ("note", str, "")], rename="camel")
    assert difference(shape_of(for_type(longer, "avro")), shape_of(for_type(Line, "avro")))
    assert difference(shape_of(for_type(Line, "avro")), shape_of(for_type(Line, "avro"))) is None
