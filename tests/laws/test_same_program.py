"""The same programs in the test driver, cut and crashed, and as a batch."""

from functools import cache
from typing import Any

import pytest

from tests.programs.language import build
from tests.programs.ways import Inputs, Result, by_batch, by_driver, inputs_of

PROGRAMS = [program.name for program in build("names")[1]]


@cache
def given() -> Inputs:
    return inputs_of(build("inputs")[1])


@cache
def expected() -> dict[str, Result]:
    return by_driver("driver", given())


@cache
def result_of(way: str) -> dict[str, Result]:
    ways: dict[str, Any] = {
        "cut": lambda: by_driver("cut", given(), chunk=40, seed=1),
        "crashed": lambda: by_driver("crashed", given(), chunk=25, seed=2, restarts=3),
        "batch": lambda: by_batch("batch", given()),
    }
    return ways[way]()  # type: ignore[no-any-return]


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_writes_something(program: str) -> None:
    assert len(expected()[program]) > 5 or program in {
        "word_length_count",
        "remainder_greatest",
        "remainder_reduce",
        "table_grouped",
    }
    assert expected()[program]


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("way", ["cut", "crashed", "batch"])
def test_program_gives_the_same(way: str, program: str) -> None:
    assert result_of(way)[program] == expected()[program]
