"""The programs in the pages on the language run, one after another, and what they assert holds."""

import re
from pathlib import Path
from typing import Any

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs" / "language").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_programs_of_the_manual_run(page: Path) -> None:
    space: dict[str, Any] = {"__name__": "program"}
    for program in re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL):
        exec(compile(program, page.name, "exec"), space)
