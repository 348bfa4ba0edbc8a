"""Whether old values can be read as a changed type."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pydantic
import pytest

from serde import Windowed, for_type
from serde.shapes import difference, shape_of


class Before(msgspec.Struct):
    id: int
    name: str


class WithDefault(msgspec.Struct):
    name: str
    id: int
    note: str = ""


class Required(msgspec.Struct):
    id: int
    name: str
    note: str


class Wider(msgspec.Struct):
    id: float
    name: str | None


class Other(msgspec.Struct):
    id: str
    name: str


class Without(msgspec.Struct):
    id: int


@dataclass
class SameAsDataclass:
    id: int
    name: str


class Model(pydantic.BaseModel):
    id: int
    name: str


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(int, int, id="same"),
        pytest.param(Before, WithDefault, id="field with default added, order changed"),
        pytest.param(Before, Wider, id="int to float, str to optional"),
        pytest.param(Before, Without, id="field dropped"),
        pytest.param(Before, SameAsDataclass, id="struct to dataclass"),
        pytest.param(Before, Model, id="struct to pydantic model"),
        pytest.param(list[Before], list[WithDefault], id="inside a list"),
        pytest.param(dict[str, int], dict[str, float], id="inside a dict"),
        pytest.param(Before, Any, id="to anything"),
    ],
)
def test_old_values_can_be_read(old: Any, new: Any) -> None:
    assert difference(shape_of(for_type(new)), shape_of(for_type(old))) is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param(int, str, "it was int and is str", id="another primitive"),
        pytest.param(int, Before, "it was int and is json", id="primitive to object"),
        pytest.param(Before, Required, "$.note is required, and old values do not have it", id="required field added"),
        pytest.param(Before, Other, "$.id was integer and is string", id="field of another type"),
        pytest.param(Wider, Before, "$.id was number and is integer", id="float to int"),
        pytest.param(list[Before], list[Other], "$[].id was integer and is string", id="inside a list"),
        pytest.param(int | list[str], list[str], "$ could be integer, which it cannot be now", id="union narrowed"),
        pytest.param(Windowed[str], Windowed[int], "it was str and is int", id="key of a window"),
    ],
)
def test_old_values_that_cannot_be_read_say_why(old: Any, new: Any, reason: str) -> None:
    assert reason in (difference(shape_of(for_type(new)), shape_of(for_type(old))) or "")
