"""No case is forgotten: each is run by a test, or a page says what is done instead."""

import importlib
import re
from collections import Counter
from pathlib import Path

import yaml

from tests.vectors.runner import load

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "structured-streaming.md"
CASE_OF_STRUCTURED = r"V-[A-Z]\d+[UA]?\b"


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


def test_each_case_of_structured_streaming_is_run_or_has_its_line_in_the_manual() -> None:
    cases = {case["id"] for case in yaml.safe_load((HERE / "structured.yaml").read_text())}
    assert len(cases) == 44
    tests = [path.read_text() for path in HERE.glob("test_structured_*.py")]
    run = {found for text in tests for found in re.findall(rf'"({CASE_OF_STRUCTURED})"', text)}
    told = set(re.findall(rf"^\| ({CASE_OF_STRUCTURED}) \|", PAGE.read_text(), re.MULTILINE))
    assert cases - run - told == set()
    assert told - cases == set()
