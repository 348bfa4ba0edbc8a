"""Structured Streaming's cases that fit no other room: several keys, durations, conditions of joins, topics per row.

Where a case is about something that is done otherwise here, `docs/structured-streaming.md` says how.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from framework import App, DeclarationError, Stream, Table, tumbling
from framework.testing import TestDriver
from tests.vectors.runner import load

CASES = {case["id"]: case for case in load("structured.yaml")}


def test_v_a7_count_by_several_keys() -> None:
    app = App("keys")
    given = app.topic("given", value=int)
    counts = app.topic("counts", key=tuple[int, int], value=int)

    @app.topology(given, to=counts)
    def count(given: Stream[None, int]) -> Table[tuple[int, int], int]:
        return given.group_by(lambda v: (v, v + 1)).count()

    with TestDriver(app, chunk=1000) as driver:
        for step in CASES["V-A7"]["multi_key_update"]:
            for value in step["in"]:
                driver.send(given, value)
            assert sorted([*key, count] for key, count in driver.read(counts)) == step["last"]


OURS: dict[str, str | timedelta] = {
    "3 days": "3d",
    " 5 hours": " 5h ",
    "interval '8' minute": "8m",
    "10 seconds": "10s",
    "1 day 2 hours 3 minutes 4 seconds": timedelta(days=1, hours=2, minutes=3, seconds=4),
}


@pytest.mark.parametrize("theirs", OURS)
def test_v_b12_durations(theirs: str) -> None:
    assert tumbling("1s", grace=OURS[theirs]).grace_ms == CASES["V-B12"]["delay_ms"][theirs]


@pytest.mark.parametrize("text", [*CASES["V-B12"]["errors"]["negative"], *CASES["V-B12"]["errors"]["unparsable"]])
def test_v_b12_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(DeclarationError, match=r"test_structured_rest\.py:\d+: grace of tumbling\(\)"):
        tumbling("1s", grace=text)


def test_v_b12_negative_timedelta_is_refused() -> None:
    with pytest.raises(DeclarationError, match="not negative"):
        tumbling("1s", grace=timedelta(seconds=-10))


def test_v_f4_sums_of_distinct_rows_complete() -> None:
    app = App("distinct")
    given = app.topic("given", value=tuple[str, int])
    sums = app.topic("sums", key=str, value=int)

    @app.topology(given, to=sums)
    def add_up(given: Stream[None, tuple[str, int]]) -> Table[str, int]:
        rows = given.rekey(lambda row: row).deduplicate(within="1h")
        return rows.group_by(lambda row: row[0]).sum(lambda row: row[1], emit="complete")

    with TestDriver(app, chunk=1000) as driver:
        table: list[Any] = []
        for step in CASES["V-F4"]["cases"][2]["steps"]:
            for word, number in step["in"]:
                driver.send(given, (word, number), at=0)
            # A batch that changes nothing writes the whole table again there, and nothing here.
            table = [list(row) for row in driver.read(sums)] or table
            assert sorted(table) == step["last"]


def test_v_g11_left_outer_join_with_conditions_on_both_sides_ends_with_its_rows() -> None:
    app = App("conditions")
    lefts, rights = app.topic("L", key=int, value=int), app.topic("R", key=int, value=int)
    out = app.topic("out", key=int, value=list[int | None])

    def pair(left: int, right: int | None) -> list[int | None]:
        return [left, right]

    @app.topology(lefts, rights, to=out)
    def join(lefts: Stream[int, int], rights: Stream[int, int]) -> Stream[int, list[int | None]]:
        able, unable = lefts.branch(lambda left: left > 10, otherwise=True)
        fitting = rights.filter(lambda right: right < 300 or right > 1000)
        matched = able.left_join(fitting, value=pair, within="0s", grace="10s", late="drop")
        return matched.merge(unable.map(lambda left: pair(left, None)))

    steps = CASES["V-G11"]["steps"]
    with TestDriver(app) as driver:
        for step in steps:
            for side, topic, factor in (("L", lefts, 2), ("R", rights, 3)):
                for n in step["in"].get(side, []):
                    driver.send(topic, factor * n, key=n, at=(n // 10 + 1) * 10_000)
        rows = [[record.key, record.timestamp // 1000, *record.value] for record in driver.records(out)]
    assert sorted(rows, key=str) == sorted((row for step in steps for row in step["new"]), key=str)


def test_v_l1_run_to_the_end_of_two_sources_then_of_what_came_since() -> None:
    app = App("union")
    stream, files = app.topic("stream", value=int), app.topic("files", value=int)
    out = app.topic("out", value=int)

    @app.topology(stream, files, to=out)
    def union(stream: Stream[None, int], files: Stream[None, int]) -> Stream[None, int]:
        return stream.merge(files)

    first = app.batch({stream: [1, 2, 3], files: [7, 8, 9]})
    assert sorted(value for _, value in first[out]) == CASES["V-L1"]["steps"][0]["all"]
    with TestDriver(app, chunk=1) as driver:
        for given in ([1, 2, 3, 7, 8, 9], [4, 5, 6, 10, 11, 12]):
            for value in given:
                driver.send(stream if value < 7 else files, value)
            driver.restart()
        assert sorted(value for _, value in driver.read(out)) == list(range(1, 13))


def test_v_m10_topic_of_each_row_and_one_topic_for_all() -> None:
    [per_row, fixed, *_] = CASES["V-M10"]["cases"]
    app = App("routes")
    given = app.topic("given", value=str)
    by_row = app.topic(per_row["topic_column"], value=str)
    by_option = app.topic(fixed["written_to"] + "-fixed", value=str)

    @app.topology(given, to=by_option)
    def route(given: Stream[None, str]) -> Stream[None, str]:
        given.to(lambda value: by_row, topics=(by_row,))
        return given

    with TestDriver(app) as driver:
        for step in per_row["steps"]:
            for value in step["in"]:
                driver.send(given, value)
            for topic in (by_row, by_option):
                assert [int(record.value) for record in driver.records(topic)] == step["topic_values"]


def length(value: str) -> int:
    return len(value)


def wrong_topic(given: Stream[str, str]) -> None:
    given.to(7)  # type: ignore[arg-type]


def wrong_value(given: Stream[str, str]) -> None:
    given.map(length).to(TEXTS)  # type: ignore[arg-type]


def wrong_key(given: Stream[str, str]) -> None:
    given.rekey(length).to(TEXTS)  # type: ignore[arg-type]


def no_topic(given: Stream[str, str]) -> None:
    given.to(lambda value: TEXTS)


M10 = App("m10")
TEXTS = M10.topic("texts", key=str, value=str)


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (no_topic, r"to\(fn, topics="),
        (wrong_topic, r"to\(\) takes a topic made by app\.topic\(\), got 7"),
        (wrong_value, r'the values are int, but the topic "texts" has str values'),
        (wrong_key, r'the keys are int, but the topic "texts" has str keys'),
    ],
)
def test_v_m10_what_a_sink_refuses(declare: Callable[[Any], None], said: str) -> None:
    app = App("m10")
    given = app.topic("given", key=str, value=str)
    with pytest.raises(DeclarationError, match=rf"test_structured_rest\.py:\d+: .*{said}"):
        app.topology(given)(declare)


STATELESS: list[Callable[[Stream[None, int]], Stream[None, int]]] = [
    lambda given: given,
    lambda given: given.map(lambda x: 2 * x),
    lambda given: given.filter(lambda x: x > 2),
    lambda given: given.flat_map(lambda x: [0, x, 2 * x]),
]


def run_over_stops(declare: Callable[[Stream[None, int]], Stream[None, int]], steps: list[Any]) -> None:
    """Rows that come while an app is stopped are handled when it goes on; `all` is everything written so far."""
    app = App("stateless")
    given, out = app.topic("given", value=int), app.topic("out", value=int)

    @app.topology(given, to=out)
    def stateless(given: Stream[None, int]) -> Stream[None, int]:
        return declare(given)

    with TestDriver(app) as driver:
        for step in steps:
            if isinstance(step, str):
                driver.restart()
                continue
            for value in step.get("in", []):
                driver.send(given, value)
            if "all" in step:
                assert sorted(record.value for record in driver.records(out)) == sorted(step["all"])


@pytest.mark.parametrize(
    ("declare", "case"),
    list(zip(STATELESS, CASES["V-N1"]["cases"], strict=False)),
    ids=[case["query"] for case in CASES["V-N1"]["cases"][:4]],
)
def test_v_n1_stateless_verbs_over_a_stop(declare: Any, case: Any) -> None:
    run_over_stops(declare, case["steps"])


@pytest.mark.parametrize("number", [0, 1], ids=["one run", "over stops"])
def test_v_n2_each_row_is_seen_at_once(number: int) -> None:
    run_over_stops(lambda given: given.map(lambda x: x + 1), CASES["V-N2"]["cases"][number]["steps"])
