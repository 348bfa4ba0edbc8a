"""Laws that every serde keeps, whatever its format."""

import enum
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serde import Serde, SerdeError, for_type


class Line(msgspec.Struct):
    article: str
    quantity: int


class Order(msgspec.Struct):
    id: UUID
    lines: list[Line]
    placed: datetime
    note: str | None = None


@dataclass
class Customer:
    name: str
    scores: dict[str, float]
    photo: bytes


class Point(NamedTuple):
    x: float
    y: float


class Reading(TypedDict):
    sensor: str
    level: float


class Tree(msgspec.Struct):
    name: str
    leaves: int
    branches: "list[Tree]" = []
    height: float = 0.0
    is_green: bool = True
    parent: "Tree | None" = None


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Item(pydantic.BaseModel):
    article: str
    quantity: int = pydantic.Field(alias="Quantity")


class Basket(pydantic.BaseModel):
    items: list[Item]
    opened: pydantic.AwareDatetime


class Elsewhere:
    """A class that nobody declared."""


class Case(NamedTuple):
    """A declared type, its values, and values that are not of it."""

    type: object
    values: st.SearchStrategy[Any]
    wrong: Sequence[Any]
    format: str | None = None


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)  # a lone surrogate has no UTF-8 form
longs = st.integers(-(2**63), 2**63 - 1)
finite = st.floats(allow_nan=False, allow_infinity=False)
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=zones)
lines = st.builds(Line, texts, longs)
orders = st.builds(Order, st.uuids(), st.lists(lines, max_size=3), instants, st.none() | texts)
customers = st.builds(Customer, texts, st.dictionaries(texts, finite, max_size=3), st.binary(max_size=9))
items = st.builds(lambda article, quantity: Item(article=article, Quantity=quantity), texts, longs)
baskets = st.builds(lambda held, opened: Basket(items=held, opened=opened), st.lists(items, max_size=3), instants)
trees = st.recursive(
    st.builds(Tree, texts, longs),
    lambda inner: st.builds(Tree, texts, longs, st.lists(inner, max_size=2), finite, st.booleans(), st.none() | inner),
    max_leaves=4,
)
plain = st.recursive(
    st.booleans() | longs | finite | texts,
    lambda inner: st.lists(inner | st.none(), max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)

CASES = {
    "bytes": Case(bytes, st.binary(), ["text", 1, bytearray(b"a"), Elsewhere()]),
    "str": Case(str, texts, [b"bytes", 1, ["a"], Elsewhere()]),
    "int": Case(int, longs, [True, 1.0, "1", Elsewhere()]),
    "float": Case(float, st.floats(allow_nan=False), [True, "1.0", 1j, 10**400, Elsewhere()]),
    "bool": Case(bool, st.booleans(), [0, 1, "true", Elsewhere()]),
    "UUID": Case(UUID, st.uuids(), ["6e1d8d3e-0000-4000-8000-000000000000", 1, Elsewhere()]),
    "datetime": Case(datetime, instants, ["2030-01-01T00:00:00Z", instants, 0, Elsewhere()]),
    "str as JSON": Case(str, texts, [b"bytes", 1, Elsewhere()], "json"),
    "int as JSON": Case(int, st.integers(-(2**80), 2**80), [True, 1.0, "1"], "json"),
    "int as MessagePack": Case(int, longs, [True, 1.0, "1"], "msgpack"),
    "float as JSON": Case(float, finite, [True, "1.0"], "json"),
    "bytes as JSON": Case(bytes, st.binary(), ["text", 1], "json"),
    "untyped": Case(Any, plain, [Elsewhere(), {(1, 2): 3}, Elsewhere]),
    "untyped as MessagePack": Case(Any, plain, [Elsewhere(), Elsewhere], "msgpack"),
    "struct": Case(Order, orders, ["text", Line("nail", 1), {}, Elsewhere()]),
    "struct as MessagePack": Case(Order, orders, ["text", Line("nail", 1), {}], "msgpack"),
    "struct as Avro": Case(
        Tree, trees, ["text", Line("nail", 1), Tree("a", 2**63), Tree(1, 1), Tree("a", 1, [1])], "avro"
    ),
    "dataclass as Avro": Case(
        Customer, customers, ["text", {}, Customer("a", {1: 1.0}, b""), Customer("a", {}, "a")], "avro"
    ),
    "int as Avro": Case(int, longs, [True, 1.0, "1", 2**63], "avro"),
    "bool as Avro": Case(bool, st.booleans(), [0, "true"], "avro"),
    "list as Avro": Case(list[str | None], st.lists(st.none() | texts, max_size=4), [("a",), "text", [1]], "avro"),
    "dict as Avro": Case(dict[str, Line], st.dictionaries(texts, lines, max_size=3), [[], {"a": 1}], "avro"),
    "dataclass": Case(Customer, customers, ["text", {}, Elsewhere()]),
    "dataclass as MessagePack": Case(Customer, customers, ["text", {}], "msgpack"),
    "named tuple": Case(Point, st.builds(Point, finite, finite), [(1.0, 2.0), [1.0, 2.0]]),
    "typed dict": Case(Reading, st.builds(Reading, sensor=texts, level=finite), ["text", []]),
    "enum": Case(Color, st.sampled_from(Color), ["red", 1]),
    "list": Case(list[int], st.lists(longs, max_size=4), [(1,), "text", {}]),
    "dict with int keys": Case(dict[int, str], st.dictionaries(longs, texts, max_size=4), [[], "text"]),
    "set": Case(set[int], st.sets(longs, max_size=4), [[1], frozenset({1})]),
    "tuple": Case(tuple[int, str], st.tuples(longs, texts), [[1, "a"], "text"]),
    "list of structs": Case(list[Line], st.lists(lines, max_size=3), [lines, "text"]),
    "union": Case(int | str, longs | texts, [True, 1.0, []]),
    "optional struct": Case(Line | None, lines, ["text", {}]),
    "model": Case(Basket, baskets, ["text", {}, Elsewhere()]),
    "model as MessagePack": Case(Basket, baskets, ["text", {}], "msgpack"),
    "list of models": Case(list[Item], st.lists(items, max_size=3), ["text", {}, ["text"]]),
}

every_serde = pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])


def serde_of(case: Case) -> Serde[Any]:
    return for_type(case.type, case.format)


@every_serde
@given(data=st.data())
def test_value_serialized_and_back_is_equal(case: Case, data: st.DataObject) -> None:
    value = data.draw(case.values)
    back = serde_of(case).deserialize(serde_of(case).serialize(value))
    assert back == value
    assert type(back) is type(value)


@every_serde
@given(data=st.data())
def test_list_forms_give_what_one_by_one_gives(case: Case, data: st.DataObject) -> None:
    serde = serde_of(case)
    values = data.draw(st.lists(case.values, max_size=5))
    written = [serde.serialize(value) for value in values]
    assert serde.serialize_many(values) == written
    assert serde.deserialize_many(written) == [serde.deserialize(item) for item in written]


@every_serde
@given(data=st.data())
def test_none_in_lists_stays_none_where_it_is(case: Case, data: st.DataObject) -> None:
    serde = serde_of(case)
    values = data.draw(st.lists(st.none() | case.values, max_size=5))
    written = serde.serialize_many(values)
    assert [item is None for item in written] == [value is None for value in values]
    assert serde.deserialize_many(written) == values


@every_serde
def test_none_on_its_own_is_refused(case: Case) -> None:
    with pytest.raises(SerdeError):
        serde_of(case).serialize(None)


@every_serde
def test_serde_resolved_twice_is_equal_with_equal_hash(case: Case) -> None:
    assert serde_of(case) == serde_of(case)
    assert hash(serde_of(case)) == hash(serde_of(case))


@every_serde
@given(data=st.data())
def test_serde_used_and_pickled_still_works_and_is_equal(case: Case, data: st.DataObject) -> None:
    serde, value = serde_of(case), data.draw(case.values)
    written = serde.serialize(value)
    copy = pickle.loads(pickle.dumps(serde))
    assert copy == serde
    assert copy.deserialize(written) == value


@every_serde
@given(data=st.binary(max_size=40))
def test_arbitrary_bytes_decode_or_raise_serde_error(case: Case, data: bytes) -> None:
    serde = serde_of(case)
    try:
        value = serde.deserialize(data)
    except SerdeError:
        with pytest.raises(SerdeError):
            serde.deserialize_many([None, data])
    else:
        assert repr(serde.deserialize_many([None, data])) == repr([None, value])  # by text, as NaN is not NaN


@every_serde
@given(data=st.data())
def test_written_bytes_with_one_byte_changed_decode_or_raise_serde_error(case: Case, data: st.DataObject) -> None:
    serde = serde_of(case)
    written = bytearray(serde.serialize(data.draw(case.values)))
    if written:
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    try:
        serde.deserialize(bytes(written))
    except SerdeError as error:
        assert str(error)


@every_serde
def test_value_of_wrong_type_raises_serde_error_that_tells_what_was_expected(case: Case) -> None:
    for wrong in case.wrong:
        with pytest.raises(SerdeError) as caught:
            serde_of(case).serialize(wrong)
        assert caught.value.expected
        assert caught.value.got


@every_serde
@given(data=st.data())
def test_value_of_wrong_type_in_a_list_raises_serde_error(case: Case, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | case.values, max_size=3))
    values.insert(data.draw(st.integers(0, len(values))), data.draw(st.sampled_from(case.wrong)))
    with pytest.raises(SerdeError):
        serde_of(case).serialize_many(values)


@every_serde
def test_serde_error_pickled_keeps_its_fields_and_message(case: Case) -> None:
    with pytest.raises(SerdeError) as caught:
        serde_of(case).serialize(case.wrong[0])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (copy.path, copy.expected, copy.got, str(copy)) == (
        caught.value.path,
        caught.value.expected,
        caught.value.got,
        str(caught.value),
    )
