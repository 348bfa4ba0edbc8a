"""`deduplicate` and `limit_rate`: what passes, what is dropped and counted, what is remembered."""

from typing import Any

import pytest

from framework import App, DeclarationError, Stream
from framework.testing import TestDriver


def driven(declare: Any, *, key: Any = str, value: Any = str, **options: Any) -> tuple[TestDriver, Any, Any]:
    """A driver of `given` → `declare(stream)` → `passed`, and both topics."""
    app = App("app")
    given = app.topic("given", key=key, value=value)
    passed = app.topic("passed", key=key, value=value)

    def limit(given: Any) -> Any:
        return declare(given)

    limit.__annotations__ = {"given": Stream[key, value]}
    app.topology(given, to=passed)(limit)
    return TestDriver(app, **options), given, passed


def passed_of(declare: Any, rows: list[tuple[Any, Any, int]], **options: Any) -> list[tuple[Any, Any]]:
    driver, given, passed = driven(declare, **options)
    with driver:
        for key, value, at in rows:
            driver.send(given, value, key=key, at=at)
        return driver.read(passed)


def first_letter(value: str) -> str:
    return value[0]


def test_deduplicate_first_passes_and_repeats_within_the_time_do_not_extend_it() -> None:
    rows = [("k", "a1", 0), ("k", "b1", 5), ("k", "a2", 6), ("k", "a3", 9), ("k", "a4", 10), ("k", "a5", 19)]
    found = passed_of(lambda given: given.deduplicate(first_letter, within="10ms"), rows)
    assert [value for _, value in found] == ["a1", "b1", "a4"]


def test_deduplicate_without_function_takes_the_key() -> None:
    rows = [("k", "a", 0), ("k", "b", 1), ("l", "b", 2)]
    assert passed_of(lambda given: given.deduplicate(within="10ms"), rows) == [("k", "a"), ("l", "b")]


def test_deduplicate_ids_are_those_of_the_partition_whatever_the_key() -> None:
    rows = [("k", "a", 0), ("l", "a", 1)]
    assert passed_of(lambda given: given.deduplicate(first_letter, within="10ms"), rows) == [("k", "a")]


def test_deduplicate_after_rekey_brings_equal_ids_together() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=str)
    passed = app.topic("passed", key=str, value=str)

    @app.topology(given, to=passed)
    def once(given: Stream[str, str]) -> Stream[str, str]:
        return given.rekey(first_letter).deduplicate(within="10ms")

    with TestDriver(app, partitions=4) as driver:
        for i in range(8):
            driver.send(given, f"a{i}", key=f"key {i}", at=0)
        assert driver.read(passed) == [("a", "a0")]


def test_deduplicate_record_out_of_order_repeats_a_later_one() -> None:
    rows = [("k", "a1", 12), ("k", "a2", 5)]
    assert passed_of(lambda given: given.deduplicate(first_letter, within="10ms"), rows) == [("k", "a1")]


def test_deduplicate_counts_what_it_drops() -> None:
    driver, given, passed = driven(lambda given: given.deduplicate(first_letter, within="10ms", name="once"))
    with driver:
        for value, at in (("a", 20), ("a", 21), ("b", 11), ("b", 12), (None, 13)):
            driver.send(given, value, key="k", at=at)
        assert driver.read(passed) == [("k", "a"), ("k", "b")]
        assert driver.dropped == {("once", "repeated"): 1, ("once", "late"): 1, ("once", "null id"): 1}


@pytest.mark.parametrize("backend", ["memory", "rocksdb"])
def test_deduplicate_forgets_what_cannot_repeat_any_more(backend: Any) -> None:
    driver, given, _ = driven(
        lambda given: given.deduplicate(first_letter, within="10ms", name="once"), backend=backend
    )
    with driver:
        for i in range(100):
            driver.send(given, chr(1000 + i), key="k", at=10 * i)
        # those of stream time 990 less twice the time, in steps of the time
        assert len(driver.store("once")) == 3
        assert [str(key) for key in driver.store("once")] == [f"{chr(1000 + i)}@{10 * i}" for i in (97, 98, 99)]


def test_limit_rate_passes_the_first_of_each_key_and_period() -> None:
    rows = [("k", "1", 0), ("k", "2", 5), ("l", "3", 6), ("k", "4", 9), ("k", "5", 10), ("k", "6", 11), ("k", "7", 12)]
    found = passed_of(lambda given: given.limit_rate(2, per="10ms"), rows)
    assert [value for _, value in found] == ["1", "2", "3", "5", "6"]


def test_limit_rate_of_records_without_key_is_one_per_partition() -> None:
    rows = [(None, "1", 0), (None, "2", 1), (None, "3", 2)]
    assert passed_of(lambda given: given.limit_rate(2, per="10ms"), rows, key=None) == [(None, "1"), (None, "2")]


def test_limit_rate_late_records_are_dropped_and_counted() -> None:
    driver, given, passed = driven(lambda given: given.limit_rate(1, per="10ms", grace="5ms", name="limit"))
    with driver:
        for value, at in (("1", 14), ("2", 9), ("3", 8), ("4", 15), ("5", 9)):
            driver.send(given, value, key="k", at=at)
        assert [value for _, value in driver.read(passed)] == ["1", "2"]
        assert driver.dropped == {("limit", "over the limit"): 2, ("limit", "late"): 1}


WRONG: dict[str, tuple[Any, str]] = {
    "no time": (lambda given: given.deduplicate(within="0s"), "deduplicate() takes within of at least 1 ms, got '0s'"),
    "negative time": (lambda given: given.deduplicate(within="-1s"), "deduplicate(within='-1s'): expected a duration"),
    "function of two": (lambda given: given.deduplicate(pow, within="1s"), "but it takes another number"),
    "no limit": (lambda given: given.limit_rate(0, per="1s"), "limit_rate() lets at least 1 record pass, got 0"),
    "no period": (lambda given: given.limit_rate(1, per="0s"), "limit_rate() takes per of at least 1 ms"),
    "negative grace": (lambda given: given.limit_rate(1, per="1s", grace="-1s"), "limit_rate(grace='-1s')"),
}


@pytest.mark.parametrize(("declare", "message"), WRONG.values(), ids=list(WRONG))
def test_wrong_limit_is_refused_with_file_and_line(declare: Any, message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        driven(declare)
    assert str(caught.value).startswith("tests/framework/operators/test_limits.py:")
    assert message in str(caught.value)


def test_deduplicate_needs_a_function_where_there_is_no_key() -> None:
    with pytest.raises(DeclarationError, match=r"deduplicate\(\) needs a key"):
        driven(lambda given: given.deduplicate(within="1s"), key=None)
