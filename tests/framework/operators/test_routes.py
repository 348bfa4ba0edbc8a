"""Branches by name, topics chosen by a function, times and headers from values."""

from typing import Any

import pytest

from framework import App, DeclarationError, RecordError, Stream, Topic
from framework.testing import TestDriver


def is_small(n: int) -> bool:
    return n < 10


def is_large(n: int) -> bool:
    return n >= 100


class Numbers:
    """`given` (str → int), and topics alike to write to."""

    def __init__(self) -> None:
        self.app = App("app")
        self.given: Topic[str, int] = self.topic("given")
        self.small, self.large, self.rest = self.topic("small"), self.topic("large"), self.topic("rest")

    def topic(self, name: str, **options: Any) -> Topic[str, int]:
        return self.app.topic(name, key=str, value=int, **options)

    def declare(self, function: Any) -> None:
        function.__annotations__ = {"given": Stream[str, int]}
        self.app.topology(self.given, name="numbers")(function)


@pytest.fixture
def numbers() -> Numbers:
    return Numbers()


def send_numbers(driver: TestDriver, numbers: Numbers, *values: int) -> None:
    for n in values:
        driver.send(numbers.given, n, key="k", at=n if n > 0 else 0)


def test_branch_by_name_gives_streams_by_name(numbers: Numbers) -> None:
    def split(given: Any) -> None:
        parts = given.branch({"small": is_small, "large": is_large}, otherwise=True)
        assert list(parts) == ["small", "large", "otherwise"]
        parts["small"].to(numbers.small)
        parts["large"].to(numbers.large)
        parts["otherwise"].to(numbers.rest)

    numbers.declare(split)
    with TestDriver(numbers.app) as driver:
        send_numbers(driver, numbers, 1, 50, 100, 2)
        assert driver.read(numbers.small) == [("k", 1), ("k", 2)]
        assert driver.read(numbers.large) == [("k", 100)]
        assert driver.read(numbers.rest) == [("k", 50)]


@pytest.mark.parametrize(
    "names", [{"": is_small}, {"a b": is_small}, {"otherwise": is_small}], ids=["empty", "with a space", "taken"]
)
def test_branch_by_wrong_name_is_refused(numbers: Numbers, names: Any) -> None:
    with pytest.raises(DeclarationError, match=r"test_routes\.py:\d+: branch\(\) cannot call a stream"):
        numbers.declare(lambda given: given.branch(names, otherwise=True))


def test_branch_without_predicate_is_refused(numbers: Numbers) -> None:
    with pytest.raises(DeclarationError, match=r"branch\(\) takes at least one predicate"):
        numbers.declare(lambda given: given.branch({}))


@pytest.mark.parametrize("chunk", [1, 100])
def test_function_chooses_the_topic_of_each_record(numbers: Numbers, chunk: int) -> None:
    def choose(n: int) -> Topic[str, int]:
        return numbers.small if is_small(n) else numbers.large

    numbers.declare(lambda given: given.to(choose, topics=(numbers.small, numbers.large)))
    with TestDriver(numbers.app, chunk=chunk) as driver:
        send_numbers(driver, numbers, 1, 100, 2, 3, 200)
        assert driver.read(numbers.small) == [("k", 1), ("k", 2), ("k", 3)]
        assert driver.read(numbers.large) == [("k", 100), ("k", 200)]
    assert {topic.name for topic in numbers.app.plan().topics} == {"given", "small", "large"}


def test_function_that_chooses_another_topic_fails_that_record_alone(numbers: Numbers) -> None:
    def choose(n: int) -> Topic[str, int]:
        return numbers.small if is_small(n) else numbers.rest

    numbers.declare(lambda given: given.to(choose, topics=(numbers.small, numbers.large)))
    with TestDriver(numbers.app, chunk=100) as driver:
        send_numbers(driver, numbers, 1, 50, 2)
        with pytest.raises(
            RecordError, match=r"chose Topic\('rest'\), which is not among topics=\(small, large\)"
        ) as caught:
            driver.read(numbers.small)
        assert caught.value.offset == 1
        assert driver.read(numbers.small) == [("k", 1), ("k", 2)]


WRONG_ROUTES: dict[str, tuple[Any, str]] = {
    "no topics": (lambda n, given: given.to(lambda _: n.small), r"to\(fn, topics=\(a, b\)\)"),
    "topic and topics": (lambda n, given: given.to(n.small, topics=(n.large,)), "topics= together with a function"),
    "no topic among them": (lambda n, given: given.to(lambda _: n.small, topics=("small",)), "made by app.topic"),
    "topic of other values": (
        lambda n, given: given.to(lambda _: n.small, topics=(n.small, n.app.topic("texts", key=str, value=str))),
        'the values are int, but the topic "texts" has str values',
    ),
    "neither topic nor function": (lambda n, given: given.to("small"), "made by app.topic"),
}  # fmt: skip


@pytest.mark.parametrize(("declare", "message"), WRONG_ROUTES.values(), ids=list(WRONG_ROUTES))
def test_wrong_route_is_refused(numbers: Numbers, declare: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=rf"test_routes\.py:\d+: .*{message}"):
        numbers.declare(lambda given: declare(numbers, given))


def test_with_timestamps_takes_times_from_values(numbers: Numbers) -> None:
    numbers.declare(lambda given: given.with_timestamps(lambda n: 1000 * n).to(numbers.rest))
    with TestDriver(numbers.app) as driver:
        send_numbers(driver, numbers, 3, 1)
        assert [(r.value, r.timestamp_ms) for r in driver.records(numbers.rest)] == [(3, 3000), (1, 1000)]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda n: -n, "its timestamp is -5, which is not a time"),
        (lambda n: n / 1 if n == 5 else n, "its timestamp by the function is 5.0, which is no whole number of ms"),
        (lambda n: 1 // (n - 5) + 1, "ZeroDivisionError"),
        (lambda n: None if n == 5 else n, "its timestamp by the function is None"),
    ],
    ids=["negative", "a float", "raises", "none"],
)
@pytest.mark.parametrize("place", ["step", "topic"])
def test_time_that_is_none_names_the_record(numbers: Numbers, function: Any, message: str, place: str) -> None:
    if place == "topic":
        numbers.given = numbers.topic("timed", timestamp=function)
        numbers.declare(lambda given: given.to(numbers.rest))
    else:
        numbers.declare(lambda given: given.with_timestamps(function).to(numbers.rest))
    with TestDriver(numbers.app, chunk=100) as driver:
        for n in (0, 5, 0):
            driver.send(numbers.given, n, key="k")
        with pytest.raises(RecordError, match=message) as caught:
            driver.read(numbers.rest)
        assert (caught.value.tp.topic, caught.value.offset) == (numbers.given.name, 1)
        assert driver.read(numbers.rest) == [("k", 0), ("k", 0)]


def test_topic_takes_times_from_values_and_tombstones_keep_their_own(numbers: Numbers) -> None:
    numbers.given = numbers.topic("timed", timestamp=lambda n: 1000 * n)
    numbers.declare(lambda given: given.to(numbers.rest))
    with TestDriver(numbers.app) as driver:
        driver.send(numbers.given, 3, key="k", at=7)
        driver.send(numbers.given, None, key="k", at=8)
        assert [record.timestamp_ms for record in driver.records(numbers.rest)] == [3000, 8]


def test_with_headers_replaces_those_of_the_same_name_and_keeps_the_others(numbers: Numbers) -> None:
    numbers.declare(
        lambda given: given.with_headers(lambda n: {"n": str(n), "raw": b"\0", "no": None}).to(numbers.rest)
    )
    with TestDriver(numbers.app) as driver:
        driver.send(numbers.given, 3, key="k", headers=[("trace", b"x"), ("n", b"old")])
        [record] = driver.records(numbers.rest)
        assert record.headers == [("trace", b"x"), ("n", b"3"), ("raw", b"\0"), ("no", None)]


def test_header_that_cannot_be_written_names_the_record(numbers: Numbers) -> None:
    numbers.declare(lambda given: given.with_headers(lambda n: {"n": n}).to(numbers.rest))
    with TestDriver(numbers.app) as driver, pytest.raises(RecordError, match="the header 'n' is 3: names are texts"):
        driver.send(numbers.given, 3, key="k")


def number_of_seconds(n: int) -> float:
    return n / 1000


def test_functions_of_other_results_are_refused(numbers: Numbers) -> None:
    with pytest.raises(DeclarationError, match=r"with_timestamps\(\) takes a function whose .* but it returns float"):
        numbers.declare(lambda given: given.with_timestamps(number_of_seconds))
    with pytest.raises(DeclarationError, match=r"with_headers\(\) takes a function whose .* but it returns bool"):
        Numbers().declare(lambda given: given.with_headers(is_small))
