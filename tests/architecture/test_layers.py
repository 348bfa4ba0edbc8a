"""Imports go downwards only, and each foreign library has one door."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGES, ROOT, Module, modules

VOCABULARY = {"framework", "serde"}  # modules right below framework/: records, errors, chunk, settings and their kin

# Room → rooms it may import, besides itself. Rooms are packages; "framework" stands for the modules right below it.
ALLOWED = {
    "serde": set(),
    "state": {"serde"},
    "framework": {"serde"},
    "framework.plan": VOCABULARY | {"state"},
    "framework.dsl": VOCABULARY | {"framework.plan", "state"},
    "framework.operators": VOCABULARY | {"framework.plan", "state"},
    "framework.runtime": VOCABULARY | {"framework.plan", "framework.operators", "state"},
    "framework.broker": VOCABULARY | {"framework.runtime"},
    "framework.drivers": VOCABULARY
    | {"framework.dsl", "framework.plan", "framework.operators", "framework.runtime", "state"},
    "framework.testing": VOCABULARY | {"framework.broker", "framework.drivers", "framework.dsl", "framework.runtime"},
    "framework.cli": VOCABULARY
    | {
        "framework.broker",
        "framework.drivers",
        "framework.dsl",
        "framework.plan",
        "framework.runtime",
        "framework.testing",
        "state",
    },
    "apps": {*VOCABULARY, "framework.broker", "framework.cli", "framework.runtime", "framework.testing"},
}
EXCEPTIONS = {
    ("framework", "framework.dsl"): "framework/__init__.py is the door",
    ("framework.dsl.app", "framework.runtime.run"): "App.run, when it is called",
    ("framework.dsl.app", "framework.drivers.batch"): "App.batch, when it is called",
}
DOORS = {"confluent_kafka": "framework.runtime.kafka", "rocksdict": "state.rocksdb"}
CLOCKS = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
# apps.nexmark.counts has the query that is about the wall clock.
OWN_A_CLOCK = ("framework.runtime", "framework.cli", "framework.testing", "apps.nexmark.counts")

ALL = [pytest.param(module, id=module.name) for module in modules()]


def room_of(name: str) -> str:
    parts = name.split(".")
    if parts[0] != "framework":
        return parts[0]
    is_package = (ROOT / "framework" / parts[1]).is_dir() if len(parts) > 1 else False
    return ".".join(parts[:2]) if is_package else "framework"


@pytest.mark.parametrize("module", ALL)
def test_module_imports_only_rooms_below_its_own(module: Module) -> None:
    room = room_of(module.name)
    assert room in ALLOWED, f"{room} has no place yet: give it one in this file"
    wrong = [
        f"{module.path.relative_to(ROOT)}:{line} imports {name}"
        for name, line in module.imports()
        if name.split(".")[0] in PACKAGES
        and room_of(name) not in ALLOWED[room] | {room}
        and (module.name, name) not in EXCEPTIONS
        and (module.name, room_of(name)) not in EXCEPTIONS
    ]
    assert wrong == []


@pytest.mark.parametrize(("library", "door"), DOORS.items())
def test_foreign_library_has_one_door(library: str, door: str) -> None:
    users = {m.name for m in modules() for name, _ in m.imports() if name.split(".")[0] == library}
    assert users == {door}


def test_only_rooms_with_a_clock_ask_what_time_it_is() -> None:
    found = [
        f"{module.path.relative_to(ROOT)}:{node.lineno}"
        for module in modules()
        if not module.name.startswith(OWN_A_CLOCK)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and (_last_name(node.value), node.attr) in CLOCKS
    ]
    assert found == []


def _last_name(node: ast.expr) -> str | None:
    """`time` of `time`, `datetime` of `datetime.datetime`."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else None


@pytest.mark.parametrize("package", PACKAGES)
def test_package_that_is_loaded_is_ours(package: str) -> None:
    # Distributions with modules of these names exist.
    assert Path(importlib.import_module(package).__file__ or "").parent == ROOT / package


@pytest.mark.parametrize("module", ["framework", "framework.testing", "apps.wordcount.app"])
def test_declaring_and_testing_an_app_loads_no_heavy_library(module: str) -> None:
    heavy = ["confluent_kafka", "rocksdict", "pydantic_settings", "typer", "rich"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout == "[]\n"


def test_declaring_an_app_loads_no_store() -> None:
    code = (
        "import sys, apps.wordcount.app; print([m for m in ('state.keyvalue', 'sortedcontainers') if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout == "[]\n"
