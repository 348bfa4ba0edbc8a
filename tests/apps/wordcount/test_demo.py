"""The demo's verdict."""

import io

import pytest
from rich.console import Console

from apps.wordcount.demo import DemoFailed, main, prove
from apps.wordcount.proof import expected_counts, output_of


def test_right_output_is_proved_with_its_numbers() -> None:
    console = Console(file=io.StringIO(), width=200)
    prove(console, expected_counts(["to be or", "to"]), output_of([("to", 2), ("be", 1), ("or", 1)]))
    assert console.file.getvalue() == "proof: 3 words, 4 occurrences, all equal\n"


def test_wrong_output_fails_with_the_number_of_differences_and_the_first_of_them() -> None:
    with pytest.raises(DemoFailed) as raised:
        prove(Console(file=io.StringIO()), expected_counts(["to be"]), output_of([("to", 2)]))
    assert str(raised.value) == (
        'the topic "counts" differs from collections.Counter in 2 places, first:\n'
        "  'be': expected 1, got 0\n"
        "  'to': expected 1, got 2"
    )


def test_demo_that_fails_ends_with_1(monkeypatch, capsys) -> None:
    def run(*_: object) -> None:
        raise DemoFailed("it differs [here]")

    monkeypatch.setattr("apps.wordcount.demo._run", run)
    assert main([]) == 1
    assert "it differs [here]" in capsys.readouterr().out
