"""Structured Streaming's cases that fit no other room: several keys, durations, conditions of joins, topics per row.

Where a case is about something that is done otherwise here, `docs/structured-streaming.md` says how.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from framework import App, DeclarationError, Stream, Table, Windowed, tumbling
from framework.testing import TestDriver
from tests.vectors.runner import Case, structured


@structured("V-A7")
def test_v_a7_count_by_several_keys(case: Case) -> None:
    app = App("keys")
    given = app.topic("given", value=int)
    counts = app.topic("counts", key=tuple[int, int], value=int)

    @app.topology(given, to=counts)
    def count(given: Stream[None, int]) -> Table[tuple[int, int], int]:
        return given.group_by(lambda v: (v, v + 1)).count()

    with TestDriver(app, chunk=1000) as driver:
        for step in case["multi_key_update"]:
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


@structured("V-B12")
@pytest.mark.parametrize("theirs", OURS)
def test_v_b12_durations(case: Case, theirs: str) -> None:
    assert tumbling("1s", grace=OURS[theirs]).grace_ms == case["delay_ms"][theirs]


@structured("V-B12")
def test_v_b12_what_is_no_duration_is_refused(case: Case) -> None:
    for text in (*case["errors"]["negative"], *case["errors"]["unparsable"]):
        with pytest.raises(DeclarationError, match=r"test_structured_rest\.py:\d+: grace of tumbling\(\)"):
            tumbling("1s", grace=text)


def test_v_b12_negative_timedelta_is_refused() -> None:
    with pytest.raises(DeclarationError, match="not negative"):
        tumbling("1s", grace=timedelta(seconds=-10))


@structured("V-F4")
def test_v_f4_sums_of_distinct_rows_complete(case: Case) -> None:
    app = App("distinct")
    given = app.topic("given", value=tuple[str, int])
    sums = app.topic("sums", key=str, value=int)

    @app.topology(given, to=sums)
    def add_up(given: Stream[None, tuple[str, int]]) -> Table[str, int]:
        rows = given.rekey(lambda row: row).deduplicate(within="1h")
        return rows.group_by(lambda row: row[0]).sum(lambda row: row[1], emit="complete")

    with TestDriver(app, chunk=1000) as driver:
        table: list[Any] = []
        for step in case["cases"][2]["steps"]:
            for word, number in step["in"]:
                driver.send(given, (word, number), at=0)
            # A batch that changes nothing writes the whole table again there, and nothing here.
            table = [list(row) for row in driver.read(sums)] or table
            assert sorted(table) == step["last"]


@structured("V-G11")
def test_v_g11_left_outer_join_with_conditions_on_both_sides_ends_with_its_rows(case: Case) -> None:
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

    steps = case["steps"]
    with TestDriver(app) as driver:
        for step in steps:
            for side, topic, factor in (("L", lefts, 2), ("R", rights, 3)):
                for n in step["in"].get(side, []):
                    driver.send(topic, factor * n, key=n, at=(n // 10 + 1) * 10_000)
        rows = [[record.key, record.timestamp // 1000, *record.value] for record in driver.records(out)]
    assert sorted(rows, key=str) == sorted((row for step in steps for row in step["new"]), key=str)


@structured("V-L1")
def test_v_l1_run_to_the_end_of_two_sources_then_of_what_came_since(case: Case) -> None:
    app = App("union")
    stream, files = app.topic("stream", value=int), app.topic("files", value=int)
    out = app.topic("out", value=int)

    @app.topology(stream, files, to=out)
    def union(stream: Stream[None, int], files: Stream[None, int]) -> Stream[None, int]:
        return stream.merge(files)

    first = app.batch({stream: [1, 2, 3], files: [7, 8, 9]})
    assert sorted(value for _, value in first[out]) == case["steps"][0]["all"]
    with TestDriver(app, chunk=1) as driver:
        for given in ([1, 2, 3, 7, 8, 9], [4, 5, 6, 10, 11, 12]):
            for value in given:
                driver.send(stream if value < 7 else files, value)
            driver.restart()
        assert sorted(value for _, value in driver.read(out)) == list(range(1, 13))


@structured("V-M10")
def test_v_m10_topic_of_each_row_and_one_topic_for_all(case: Case) -> None:
    [per_row, fixed, *_] = case["cases"]
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


STATELESS: dict[str, Callable[[Stream[None, int]], Stream[None, int]]] = {
    "identity": lambda given: given,
    "map x*2": lambda given: given.map(lambda x: 2 * x),
    "filter x>2": lambda given: given.filter(lambda x: x > 2),
    "flatMap x -> 0, x, 2x": lambda given: given.flat_map(lambda x: [0, x, 2 * x]),
}


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


@structured("V-N1")
@pytest.mark.parametrize("query", STATELESS)
def test_v_n1_stateless_verbs_over_a_stop(case: Case, query: str) -> None:
    [steps] = [each["steps"] for each in case["cases"] if each.get("query") == query]
    run_over_stops(STATELESS[query], steps)


@structured("V-N2")
@pytest.mark.parametrize("number", [0, 1], ids=["one run", "over stops"])
def test_v_n2_each_row_is_seen_at_once(case: Case, number: int) -> None:
    run_over_stops(lambda given: given.map(lambda x: x + 1), case["cases"][number]["steps"])


@structured("V-B11")
def test_v_b11_time_of_a_union_is_the_greatest_of_both_inputs_over_a_restart(case: Case) -> None:
    """Ours is the policy max, before any delay: a delay is the grace of what follows."""
    app = App("union")
    given = {side: app.topic(side, value=int) for side in "ab"}
    closed = app.topic("closed", key=Windowed[str], value=int)

    @app.topology(given["a"], given["b"], to=closed)
    def union(a: Stream[None, int], b: Stream[None, int]) -> Table[Windowed[str], int]:
        both = a.merge(b).group_by(lambda second: "all")
        return both.window(tumbling("1s", grace="15s")).count(emit="final")

    with TestDriver(app) as driver:
        seconds: list[int] = []
        for step in case["max"]:
            if step == "restart":
                driver.restart()
                continue
            for side, values in step.get("in", {}).items():
                for second in values:
                    driver.send(given[side], second, at=1000 * second)
                    seconds.append(second)
            # The watermark of the case is 15 s or 10 s behind the greatest; 15 s is the grace here.
            ended = [s for s in seconds if s + 1 + 15 <= max(seconds)]
            assert [record.key.start // 1000 for record in driver.records(closed)] == sorted(ended)


# How much later (ms) than its input a row of the join may be, which is the grace that what follows needs.
INTERVALS = {
    "left BETWEEN right AND right + 40 s": ("40s", "0s", 40_000),
    "left BETWEEN right - 30 s AND right": ("0s", "30s", 30_000),
    "left BETWEEN right - 30 s AND right + 40 s": ("40s", "30s", 40_000),
}


@structured("V-H5")
@pytest.mark.parametrize("condition", INTERVALS)
def test_v_h5_unmatched_rows_are_on_time_for_a_grace_of_the_interval_and_late_for_less(
    case: Case, condition: str
) -> None:
    before, after, interval_ms = INTERVALS[condition]
    # There the watermark of the rows is 1 ms further behind, as it drops what equals it.
    assert case["output_watermark_minus_input_ms"][condition] == -interval_ms - 1
    app = App("interval")
    lefts, rights = app.topic("L", key=str, value=int), app.topic("R", key=str, value=int)
    counts = {enough: app.topic(f"counts-{enough}", key=Windowed[str], value=int) for enough in (True, False)}
    late = {enough: app.topic(f"late-{enough}", key=str, value=int) for enough in (True, False)}

    @app.topology(lefts, rights)
    def join(lefts: Stream[str, int], rights: Stream[str, int]) -> None:
        rows = lefts.outer_join(
            rights, value=lambda left, right: (left or 0) + (right or 0), within=(before, after), name="join"
        )
        for enough in (True, False):
            # Reason: a row of time t is in the window [t, t + 1), and leaves the join 1 ms after its own window's end.
            grace = timedelta(milliseconds=interval_ms - (0 if enough else 1))
            table = rows.group_by_key().window(tumbling("1ms", grace=grace)).count(emit="final")
            table.to(counts[enough])
            table.late.to(late[enough])

    with TestDriver(app) as driver:
        # Whichever side waits longer: its row leaves the join last.
        slow = lefts if after == f"{interval_ms // 1000}s" else rights
        driver.send(slow, 1, key="k", at=100_000)
        driver.send(slow, 2, key="other", at=100_000 + interval_ms)
        # A pair has the greater time, so it moves the time of what follows as far as the input's.
        driver.send(lefts if slow is rights else rights, 3, key="other", at=100_000 + interval_ms)
        driver.send(lefts, 4, key="end", at=100_001 + interval_ms)
        driver.send(rights, 5, key="end", at=100_001 + interval_ms)
        assert driver.read(late[True]) == []
        assert driver.read(late[False]) == [("k", 1)]


@structured("V-L5")
def test_v_l5_rows_by_rate_are_what_a_test_sends_and_go_on_after_a_restart(case: Case) -> None:
    query = re.fullmatch(r"\S+ rowsPerBatch (\d+) startTimestamp (\d+) advanceMillisPerBatch (\d+)", case["query"])
    assert query is not None
    rows, start_ms, advance_ms = map(int, query.groups())
    app = App("rate")
    given, out = app.topic("given", value=int), app.topic("out", value=int)

    @app.topology(given, to=out)
    def same(given: Stream[None, int]) -> Stream[None, int]:
        return given

    with TestDriver(app) as driver:
        for number, batch in enumerate(case["batches"]):
            for value in range(number * rows, (number + 1) * rows):
                driver.send(given, value, at=start_ms + number * advance_ms)
            driver.restart()
            first, last = map(int, batch["values"].split(".."))
            written = [(r.value, r.timestamp_ms) for r in driver.records(out)][number * rows :]
            assert written == [(value, batch["timestamp_ms"]) for value in range(first, last + 1)]
