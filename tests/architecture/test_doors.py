"""What packages export: it exists, and it says what it is."""

import ast
import importlib
import inspect

import pytest

from tests.architecture.sources import modules

DOORS = [m.name for m in modules() if m.path.name == "__init__.py" and "__all__" in m.path.read_text()]
EXPORTS = [
    pytest.param(door, name, id=f"{door}.{name}") for door in DOORS for name in importlib.import_module(door).__all__
]


@pytest.mark.parametrize(("door", "name"), EXPORTS)
def test_exported_name_exists_and_has_a_docstring_of_its_own(door: str, name: str) -> None:
    exported = getattr(importlib.import_module(door), name)
    if not (inspect.isclass(exported) or inspect.isfunction(exported)):
        return
    text = exported.__doc__ or ""
    # A dataclass without docstring is given its signature for one.
    assert text and not text.startswith(f"{name}("), f"{door}.{name} has no docstring"


@pytest.mark.parametrize("door", DOORS)
def test_door_has_no_duplicates(door: str) -> None:
    names = importlib.import_module(door).__all__
    assert sorted(set(names)) == sorted(names)


def test_every_module_opens_with_a_docstring() -> None:
    assert [m.name for m in modules() if not ast.get_docstring(m.tree)] == []
