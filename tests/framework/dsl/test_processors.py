"""Declaring stateful classes, handlers and periodic functions: what is refused, with file and line."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from framework import (
    App,
    Context,
    DeclarationError,
    ListState,
    MapState,
    Processor,
    Stream,
    Timer,
    ValueState,
    every,
)
from framework.testing import TestDriver

HERE = r"test_processors\.py:\d+: "


class Good(Processor[str, int, str]):
    total = ValueState(int, default=0)

    def process(self, value: int, ctx: Context[str]) -> Iterator[str]:
        self.total.set(self.total.get() + value)
        yield str(self.total.get())


def declare(processor: Any, key: Any = str, value: Any = int, result: Any = str) -> App:
    app = App("app")
    given = app.topic("given", key=key, value=value)
    app.processor(given, to=app.topic("results", key=key, value=result))(processor)
    return app


def refused(processor: Any, said: str, **types: Any) -> None:
    with pytest.raises(DeclarationError, match=HERE + said):
        declare(processor, **types)


def test_class_names_its_step_and_stores() -> None:
    [sub] = declare(Good).plan().sub_topologies
    assert [store.name for store in sub.stores] == ["Good.total", "Good.timers"]


def test_class_in_a_topology_is_named_by_the_topology_and_repartitions_a_rekeyed_stream() -> None:
    app = App("app")
    given = app.topic("given", value=int)
    results = app.topic("results", key=str, value=str)

    @app.topology(given, to=results)
    def totals(given: Stream[None, int]) -> Stream[str, str]:
        return given.rekey(lambda n: str(n % 2), key=str).process(Good)

    first, second = app.plan().sub_topologies
    assert not first.stores
    assert [store.name for store in second.stores] == ["totals.process.total", "totals.process.timers"]
    with TestDriver(app) as driver:
        for number in (1, 2, 3):
            driver.send(given, number)
        assert driver.read(results) == [("1", "1"), ("0", "2"), ("1", "4")]


def test_what_is_no_processor_is_refused() -> None:
    refused(int, "process\\(\\) takes a class derived from Processor, got <class 'int'>")


def test_keyless_topic_is_refused() -> None:
    refused(Good, "processor\\(\\) needs a key, but this stream has none", key=None)


def test_values_of_another_type_are_refused() -> None:
    refused(Good, "the values are str, but the class Good takes int", value=str)


def test_keys_of_another_type_are_refused() -> None:
    refused(Good, "the keys are int, but the class Good has str keys", key=int)


def test_results_of_another_type_than_the_sink_are_refused() -> None:
    refused(Good, 'the values are str, but the topic "results" has int values', result=int)


def test_class_without_process_is_refused() -> None:
    class Empty(Processor[str, int, str]):
        pass

    refused(Empty, "the class Empty has no method process")


def test_class_with_arguments_is_refused() -> None:
    class Configured(Good):
        def __init__(self, limit: int) -> None:
            self.limit = limit

    refused(Configured, "the class Configured is made once per task, without arguments, but its __init__ takes some")


def test_process_that_takes_another_number_of_arguments_is_refused() -> None:
    class Short(Processor[str, int, str]):
        def process(self, value: int) -> None:  # type: ignore[override]
            return None

    refused(Short, "Short.process\\(\\) is called with the value and the context, but it takes 2 positional arguments")


def test_on_timer_that_takes_another_number_of_arguments_is_refused() -> None:
    class Short(Good):
        def on_timer(self, timer: Timer) -> None:  # type: ignore[override]
            return None

    refused(Short, "Short.on_timer\\(\\) is called with the timer and the context, but it takes 2")


def test_process_of_another_value_than_the_class_is_refused() -> None:
    class Mixed(Processor[str, int, str]):
        def process(self, value: str, ctx: Context[str]) -> None:  # type: ignore[override]
            return None

    refused(Mixed, "Mixed.process\\(\\) takes str, but the class is a Processor of values of type int")


def test_process_of_another_result_than_the_class_is_refused() -> None:
    class Mixed(Processor[str, int, str]):
        def process(self, value: int, ctx: Context[str]) -> Iterator[int]:  # type: ignore[override]
            yield 1

    refused(Mixed, "Mixed.process\\(\\) gives int, but the class is a Processor with results of type str")


def test_async_process_is_refused() -> None:
    class Waiting(Processor[str, int, str]):
        async def process(self, value: int, ctx: Context[str]) -> None:  # type: ignore[override]
            return None

    refused(Waiting, "Waiting.process\\(\\) is async")


def test_state_of_a_type_that_no_serde_carries_is_refused_at_its_line() -> None:
    class Strange(Good):
        odd = ValueState(complex)

    refused(Strange, 'the state "odd" cannot be kept: cannot carry values of type complex')


def test_default_of_another_type_is_refused() -> None:
    class Strange(Good):
        odd: Any = ValueState(int, default="0")  # type: ignore[arg-type]

    refused(Strange, "the default of the state \"odd\" is '0', but its type is int")


def test_one_state_under_two_names_is_refused() -> None:
    class Twice(Good):
        first = second = ListState(int)

    refused(Twice, '"first" and "second" are one state')


def test_state_with_the_name_of_the_timers_is_refused() -> None:
    class Taken(Good):
        timers = MapState(str, int)

    refused(Taken, 'the name "timers" is taken')


@pytest.mark.parametrize("ttl", ["soon", "0s", 5], ids=["no duration", "nothing", "a number"])
def test_time_to_live_that_is_no_duration_is_refused(ttl: Any) -> None:
    class Short(Good):
        brief = ValueState(int, ttl=ttl)

    refused(Short, "ttl= of brief")


def test_every_with_an_unknown_clock_is_refused() -> None:
    class Odd(Good):
        @every("1s", clock="sun")  # type: ignore[arg-type]
        def shine(self, ctx: Context[str]) -> None: ...

    refused(Odd, '@every takes clock="event" or "wall", got \'sun\'')


def test_every_on_a_method_with_more_arguments_is_refused() -> None:
    class Odd(Good):
        @every("1s")
        def shine(self, now: int, ctx: Context[str]) -> None: ...

    refused(Odd, "shine\\(\\) is called with the context, but it takes 3 positional arguments")


def test_state_used_outside_of_a_class_says_where_it_was_declared() -> None:
    alone = ValueState(int, default=0)
    with pytest.raises(DeclarationError, match=HERE + "ValueState is used outside of a running Processor"):
        alone.get()


def test_state_made_in_init_is_refused_when_it_is_used() -> None:
    class Late(Good):
        def __init__(self) -> None:
            self.late = ListState(int)

        def process(self, value: int, ctx: Context[str]) -> Iterator[str]:
            self.late.append(value)
            yield ""

    app = declare(Late)
    given = app.topic("given", key=str, value=int)
    with TestDriver(app) as driver, pytest.raises(Exception, match="ListState is used outside of a running Processor"):
        driver.send(given, 1, key="a")


def test_two_classes_of_one_name_are_refused() -> None:
    app = declare(Good)
    with pytest.raises(DeclarationError, match='a topology named "Good" was declared'):
        app.processor(app.topic("given", key=str, value=int))(Good)


# Handlers


def handle(function: Callable[..., Any], value: Any = int, **options: Any) -> App:
    app = App("app")
    results = app.topic("results", key=str, value=str)
    app.handler(app.topic("given", key=str, value=value), to=results, **options)(function)
    return app


async def answer(value: int) -> str:
    return str(value)


def plain(value: int) -> str:
    return str(value)


def listed(values: list[int]) -> list[str | None]:
    return [str(value) for value in values]


async def streamed(value: int) -> AsyncIterator[str]:
    yield str(value)


@pytest.mark.parametrize("function", [answer, plain, streamed])
def test_handler_results_are_checked_against_the_sink(function: Any) -> None:
    app = App("app")
    with pytest.raises(DeclarationError, match="the values are str, but the topic"):
        app.handler(app.topic("given", key=str, value=int), to=app.topic("results", key=str, value=float))(function)


@pytest.mark.parametrize(
    ("function", "options", "said"),
    [
        pytest.param(answer, {"concurrency": 0}, "handler\\(\\) takes concurrency >= 1, got 0", id="no calls"),
        pytest.param(plain, {"concurrency": 2}, "the handler plain is no async function", id="concurrent but sync"),
        pytest.param(listed, {"concurrency": 2, "batch": True}, "is no async function", id="concurrent batch"),
        pytest.param(streamed, {"batch": True}, "the handler streamed yields", id="batch of a generator"),
        pytest.param(plain, {"batch": True}, "handler\\(\\) calls plain with lists", id="batch without lists"),
        pytest.param(lambda: 1, {"name": "none"}, "it takes 0 positional arguments", id="no parameter"),
    ],
)
def test_handler_with_options_that_do_not_fit_is_refused(function: Any, options: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=HERE + ".*" + said):
        handle(function, **options)


def test_batch_of_lists_of_another_type_is_refused() -> None:
    with pytest.raises(DeclarationError, match="lists of the topic's values, which are float, but its parameter is"):
        handle(listed, value=float, batch=True)


# Periodic functions


@pytest.mark.parametrize(
    ("interval", "function", "said"),
    [
        pytest.param("0s", lambda: None, "at least 1 ms", id="no interval"),
        pytest.param("often", lambda: None, "expected a duration", id="no duration"),
        pytest.param("1s", lambda now: None, "calls <lambda> without arguments, but", id="an argument"),
        pytest.param("1s", 5, "takes a function, got 5", id="no function"),
    ],
)
def test_every_that_cannot_be_called_is_refused(interval: str, function: Any, said: str) -> None:
    with pytest.raises(DeclarationError, match=HERE + "every\\(\\).*" + said):
        App("app").every(interval)(function)


def test_every_twice_under_one_name_is_refused() -> None:
    app = App("app")
    app.every("1s")(plain_beat)
    with pytest.raises(DeclarationError, match='a function named "plain_beat" was declared with every'):
        app.every("2s")(plain_beat)


def plain_beat() -> None: ...
