"""The programs in the pages on the language run, and what they assert holds."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "language"
PROGRAMS = [
    pytest.param(page, program, id=f"{page.stem} {number}")
    for page in sorted(PAGES.glob("*.md"))
    for number, program in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL), start=1)
]


@pytest.mark.parametrize(("page", "program"), PROGRAMS)
def test_program_of_the_manual_runs(page: Path, program: str) -> None:
    space: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, page.name, "exec"), space)
