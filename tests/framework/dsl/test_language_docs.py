"""The programs in the pages about the language can be declared, and do what the pages say."""

import re
from pathlib import Path
from typing import Any

import pytest

from framework.testing import TestDriver

DOCS = Path(__file__).parents[3] / "docs" / "language"


def program_of(page: str) -> dict[str, Any]:
    """The names that the page's programs define, run one after the other."""
    code = "\n".join(re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL))
    space: dict[str, Any] = {"__name__": "page"}
    exec(compile(code, page, "exec"), space)
    return space


def test_page_about_processors_alerts_and_falls_quiet() -> None:
    page = program_of("processors.md")
    payment, alert = page["Payment"], page["Alert"]
    with TestDriver(page["app"]) as driver:
        driver.send(page["payments"], payment("a", 600), key="anna", at=0)
        driver.send(page["payments"], payment("b", 600), key="anna", at=1_000)
        driver.send(page["payments"], payment("a", 1), key="ben", at=61_000)
        assert driver.read(page["alerts"]) == [
            ("anna", alert("anna", "1200 within the hour")),
            ("anna", alert("anna", "quiet after 2 shops")),
        ]
        assert driver.store("Velocity.total")["anna"] == 1200.0


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        ("plain", ["2 euro"]),
        ("several", ["part 0", "part 1"]),
        ("with_context", ["anna owes 2 since 5"]),
        ("asked", ["2 euro, approved"]),
        ("streamed", ["2 euro"]),
        ("together", ["2 euro"]),
    ],
)
def test_page_about_handlers_each_gives_its_results(handler: str, expected: list[str]) -> None:
    page = program_of("handlers.md")
    with TestDriver(page["app"]) as driver:
        driver.send(page["orders"], 2, key="anna", at=5)
        order = ["plain", "several", "with_context", "asked", "streamed", "together"]
        counts = [1, 2, 1, 1, 1, 1]
        start = sum(counts[: order.index(handler)])
        written = [value for _, value in driver.read(page["invoices"])]
        assert written[start : start + len(expected)] == expected
