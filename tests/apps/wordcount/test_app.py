"""Word count in memory."""

from apps.wordcount.app import app, counts, lines
from framework.testing import TestDriver


def test_words_of_several_lines_are_counted_together_whatever_their_case() -> None:
    with TestDriver(app) as driver:
        driver.send(lines, "To be or not to be")
        driver.send(lines, "that is  TO say\tmuch")
        assert driver.table(counts) == {
            "to": 3, "be": 2, "or": 1, "not": 1, "that": 1, "is": 1, "say": 1, "much": 1,
        }  # fmt: skip
