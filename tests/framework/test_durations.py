from datetime import timedelta

import pytest

from framework.durations import to_ms


@pytest.mark.parametrize(
    ("given", "expected"),
    [("250ms", 250), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("7d", 604_800_000), ("1.5s", 1_500),
     (" 2 s ", 2_000), ("0s", 0), (timedelta(seconds=3), 3_000)],
)  # fmt: skip
def test_duration_in_ms(given: object, expected: int) -> None:
    assert to_ms(given) == expected


@pytest.mark.parametrize(
    "given", ["", "10", "s", "-1s", "1w", "0.5ms", timedelta(seconds=-1), timedelta(microseconds=1)]
)
def test_duration_of_another_form_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        to_ms(given)
