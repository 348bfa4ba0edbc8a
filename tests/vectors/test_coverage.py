"""No case is forgotten: each is a parameter of a test; where something else is done, a page says so."""

import importlib
import re
from collections import Counter
from pathlib import Path

from tests.vectors.runner import load

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "structured-streaming.md"


def run_by(pattern: str) -> Counter[str]:
    """How often each case is a parameter of a test."""
    found: Counter[str] = Counter()
    for path in HERE.glob(pattern):
        module = importlib.import_module(f"tests.vectors.{path.stem}")
        for name in filter(lambda name: name.startswith("test_"), vars(module)):
            for mark in getattr(getattr(module, name), "pytestmark", []):
                if mark.name == "parametrize" and mark.args[0] == "case":
                    found.update(parameter.id for parameter in mark.args[1])
    return found


def test_each_case_of_kafka_streams_is_run_once() -> None:
    cases = [case["id"] for case in load("streams.yaml")]
    assert len(cases) == 77
    assert run_by("test_streams_*.py") == Counter(cases)


def test_each_case_of_structured_streaming_is_run() -> None:
    cases = {case["id"] for case in load("structured.yaml")}
    assert len(cases) == 44
    assert set(run_by("test_structured_*.py")) == cases


def test_cases_that_the_manual_tells_of_exist() -> None:
    cases = {case["id"] for case in load("structured.yaml")}
    told = set(re.findall(r"^\| (V-[A-Z]\d+[UA]?) \|", PAGE.read_text(), re.MULTILINE))
    assert told
    assert told - cases == set()
