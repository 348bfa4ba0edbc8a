"""The demo's comparison: it must see every way in which the output can be wrong."""

import pytest

from apps.wordcount.proof import differences, expected_counts, output_of


def test_output_keeps_the_last_count_of_each_word() -> None:
    assert output_of([("to", 1), ("be", 1), ("to", 2)]).counts == {"to": 2, "be": 1}


def test_expected_counts_split_at_white_space_and_ignore_case() -> None:
    assert expected_counts(["To be", "to\tbe, TO"]) == {"to": 3, "be": 1, "be,": 1}


def test_right_output_has_no_differences() -> None:
    assert differences({"to": 2}, output_of([("to", 1), ("to", 2)])) == []


@pytest.mark.parametrize(
    ("records", "sentences"),
    [
        pytest.param([("to", 3)], ["'to': expected 2, got 3"], id="counted too often"),
        pytest.param([], ["'to': expected 2, got 0"], id="missing"),
        pytest.param([("to", 2), ("or", 1)], ["'or': expected 0, got 1"], id="never written"),
        pytest.param([("to", 2), ("to", 2)], ["'to': its count once did not grow"], id="written twice"),
        pytest.param([("to", 2), ("to", 1), ("to", 2)], ["'to': its count once did not grow"], id="went back"),
    ],
)
def test_wrong_output_is_named(records, sentences) -> None:
    assert differences({"to": 2}, output_of(records)) == sentences
