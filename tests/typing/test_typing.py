"""What the types promise to users, kept by mypy itself."""

import re
from pathlib import Path

from mypy import api

HERE = Path(__file__).parent


def test_mypy_accepts_the_programs_and_refuses_exactly_the_marked_lines() -> None:
    report, trouble, _ = api.run(
        ["--strict", "--no-error-summary", str(HERE / "accepted.py"), str(HERE / "refused.py")]
    )
    found = {(m[1], int(m[2])) for m in re.finditer(r"(\w+\.py):(\d+): error", report)}
    lines = (HERE / "refused.py").read_text().splitlines()
    marked = {("refused.py", i) for i, line in enumerate(lines, 1) if line.endswith("# mistake")}
    assert trouble == ""
    assert found == marked, report
