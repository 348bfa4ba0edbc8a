"""Windows as declared, and what a declaration refuses, with the user's file and line."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from framework import App, DeclarationError, Stream, Table, Windowed, hopping, session, sliding, tumbling, unlimited
from framework.plan.windows import SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows


@pytest.mark.parametrize(
    ("declared", "windows"),
    [
        pytest.param(tumbling("10s"), TimeWindows(10_000, 10_000, 0, 0), id="tumbling"),
        pytest.param(
            tumbling(timedelta(hours=1), grace="5m", offset="90m"),
            TimeWindows(3_600_000, 3_600_000, 1_800_000, 300_000),
            id="tumbling with grace and offset",
        ),
        pytest.param(hopping("10s", "4s", grace="1s"), TimeWindows(10_000, 4_000, 0, 1_000), id="hopping"),
        pytest.param(sliding("5m", grace="1m"), SlidingWindows(300_000, 60_000), id="sliding"),
        pytest.param(session("5m"), SessionWindows(300_000, 0, None), id="session"),
        pytest.param(session("5m", max_length="1d"), SessionWindows(300_000, 0, 86_400_000), id="session with length"),
        pytest.param(unlimited(), UnlimitedWindows(), id="unlimited"),
    ],
)
def test_windows_are_plain_data_in_ms(declared: object, windows: object) -> None:
    assert declared == windows


def test_gap_of_a_value_is_a_duration_or_ms() -> None:
    texts = session(lambda value: value).gap_ms
    assert callable(texts)
    assert [texts("2s"), texts(timedelta(seconds=3)), texts(7)] == [2_000, 3_000, 7]
    with pytest.raises(ValueError, match="longer than 0"):
        texts(0)


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        pytest.param(lambda: tumbling("0s"), "tumbling() takes size longer than 0", id="size of 0"),
        pytest.param(lambda: tumbling("ten"), "size of tumbling(): expected a duration", id="no duration"),
        pytest.param(lambda: tumbling(10), 'takes size as text such as "10s"', id="a bare number"),  # type: ignore[arg-type]
        pytest.param(
            lambda: tumbling(timedelta(seconds=-1)),
            "duration of whole milliseconds that is not negative",
            id="negative",
        ),
        pytest.param(lambda: tumbling("1s", grace="-1s"), "grace of tumbling()", id="negative grace"),
        pytest.param(lambda: hopping("1s", "2s"), "advance that is not greater than the size", id="advance over size"),
        pytest.param(lambda: hopping("1s", "0s"), "hopping() takes advance longer than 0", id="advance of 0"),
        pytest.param(lambda: sliding("0ms"), "sliding() takes difference longer than 0", id="difference of 0"),
        pytest.param(lambda: session("0ms"), "session() takes gap longer than 0", id="gap of 0"),
        pytest.param(lambda: session("1s", max_length="0s"), "max_length longer than 0", id="length of 0"),
    ],
)
def test_bad_windows_are_refused_with_the_line(declare: Callable[[], Any], said: str) -> None:
    with pytest.raises(DeclarationError, match=r"^tests/framework/dsl/test_windows\.py:\d+: .*" + re.escape(said)):
        declare()


def windowed(given: Stream[str, int]) -> Any:
    return given.group_by_key().window(tumbling("1s"))


def add(total: int, value: int) -> int:
    return total + value


REFUSED: dict[str, tuple[Callable[[Stream[str, int]], Any], str]] = {
    "window() without windows": (
        lambda given: given.group_by_key().window("10s"),  # type: ignore[arg-type]
        'window() takes windows such as tumbling("10s")',
    ),
    "emit unknown": (
        lambda given: windowed(given).count(emit="last"),
        'count() takes emit="changes", "final" or "complete", got \'last\'',
    ),
    "final without windows": (
        lambda given: given.group_by_key().count(emit="final"),
        "a result is final only in a window",
    ),
    "final without grace": (
        lambda given: windowed(given).count(emit="final"),
        'count(emit="final") sends each window once, so what comes after it closed is lost: say how long',
    ),
    "final sessions without grace": (
        lambda given: given.group_by_key().window(session("1s")).count(emit="final"),
        'count(emit="final") sends each window once',
    ),
    "suppressed without grace": (
        lambda given: windowed(given).count().suppress(until="window closes"),
        'suppress(until="window closes") sends each window once',
    ),
    "changes unknown": (
        lambda given: windowed(given).count(changes="some"),
        'count() takes changes="latest" or "all"',
    ),
    "session without merge": (
        lambda given: given.group_by_key().window(session("1s")).aggregate(0, add),
        "aggregate() over sessions needs merge=",
    ),
    "merge without session": (
        lambda given: windowed(given).aggregate(0, add, merge=add),
        "aggregate() takes merge= over sessions only",
    ),
    "merge of another type": (
        lambda given: given.group_by_key().window(session("1s")).aggregate(0, add, merge=lambda left: left),
        "aggregate() calls <lambda> with 2 arguments",
    ),
    "collect none": (lambda given: given.group_by_key().collect(max=0), "collect() takes max >= 1, got 0"),
    "cogroup without itself": (
        lambda given: given.group_by_key().cogroup({given.group_by(str): add}, initial=0),
        "cogroup() needs a function for the grouped stream it is called on",
    ),
    "cogroup of a list": (
        lambda given: given.group_by_key().cogroup([add], initial=0),  # type: ignore[arg-type]
        "cogroup() takes a dict of grouped streams and functions",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_windowed_step_is_refused_with_the_line(case: str) -> None:
    declare, said = REFUSED[case]
    app = App("app")
    topic = app.topic("given", key=str, value=int)

    def topology(given: Stream[str, int]) -> None:
        declare(given)

    with pytest.raises(DeclarationError, match=r"^tests/framework/dsl/test_windows\.py:\d+: .*" + re.escape(said)):
        app.topology(topic)(topology)


def test_windowed_result_knows_its_key_from_the_sink_when_nobody_stated_it() -> None:
    app = App("app")
    given = app.topic("given", value=str)
    results = app.topic("results", key=Windowed[str], value=int)

    @app.topology(given, to=results)
    def count(given: Stream[None, str]) -> Table[Windowed[str], int]:
        return given.group_by(lambda text: text).window(tumbling("1s")).count()

    (store,) = [store for sub in app.plan().sub_topologies for store in sub.stores]
    assert store.spec.key_serde.name == "window[str]"


def test_windowed_result_to_a_topic_of_plain_keys_is_refused() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=int)
    results = app.topic("results", key=str, value=int)

    def count(given: Stream[str, int]) -> Table[Windowed[str], int]:
        return windowed(given).count()

    with pytest.raises(DeclarationError, match=r'the keys are Windowed\[str\], but the topic "results" has str keys'):
        app.topology(given, to=results)(count)
