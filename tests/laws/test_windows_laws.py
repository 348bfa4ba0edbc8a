"""Laws of windows: results do not depend on how input is cut, committed, interrupted or cached; the judges are models.

A model goes through the records one by one and keeps, in plain lists, the records of every window. It gives each
change, the final results in their order, and the late records. With every change or final results the programs must
write the same records; with the latest changes they must end with the same table. Every record has a number of its own,
and the result of a window is the list of the numbers in it, so the order of adding and merging is seen too; or it is
their count.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework import App, Stream, Table, Windowed, hopping, session, sliding, tumbling
from framework.testing import TestDriver
from tests.laws.test_operator_laws import Interruptions, assert_subsequence, interruptions, latest

Given = tuple[str, int, int]  # key, number, time
Row = tuple[str, Any, int]  # windowed key as text, numbers or None, timestamp


@dataclass
class Outcome:
    """What a model gives: every change, final results, late records."""

    changes: list[Row] = field(default_factory=list)
    finals: list[Row] = field(default_factory=list)
    late: list[Given] = field(default_factory=list)


@dataclass
class Window:
    start: int
    end: int
    rows: list[Given]
    until: int = 0  # of a session
    is_final: bool = False

    def row(self, key: str, timestamp: int | None = None) -> Row:
        newest = max(t for _, _, t in self.rows) if timestamp is None else timestamp
        return f"{key}@{self.start}/{self.end}", [n for _, n, _ in self.rows], newest


Windows = dict[str, dict[int, Window]]


def close(outcome: Outcome, windows: Windows, is_closed: Callable[[Window], bool]) -> None:
    closing = [(w.end, key, w) for key, ws in windows.items() for w in ws.values() if is_closed(w) and not w.is_final]
    for _, key, window in sorted(closing, key=lambda c: c[:2]):
        window.is_final = True
        outcome.finals.append(window.row(key))


def time_model(size: int, advance: int, offset: int, grace: int, rows: list[Given]) -> Outcome:
    outcome, windows, now = Outcome(), Windows(), -1
    for row in rows:
        key, _, t = row
        now = max(now, t)
        of_key = windows.setdefault(key, {})
        last = t - (t - offset) % advance
        starts = [s for s in range(last - size // advance * advance, last + 1, advance) if s + size > t]
        starts = [s for s in starts if s >= 0] or starts[-1:]
        taking = [s for s in starts if s + size + grace > now]
        for start in taking:
            window = of_key.setdefault(start, Window(start, start + size, []))
            window.rows.append(row)
            outcome.changes.append(window.row(key))
        if not taking:
            outcome.late.append(row)
        close(outcome, windows, lambda w, now=now: w.end + grace <= now)
    return outcome


def sliding_model(difference: int, grace: int, rows: list[Given]) -> Outcome:
    outcome, windows, now = Outcome(), Windows(), -1
    accepted: dict[str, list[Given]] = {}
    for row in rows:
        key, _, t = row
        now = max(now, t)
        of_key, known = windows.setdefault(key, {}), accepted.setdefault(key, [])
        times = {time for _, _, time in known} | {t}
        starts = {max(0, time - difference) for time in times} | {time + 1 for time in times}
        is_open = [s for s in sorted(starts) if s + difference + grace >= now]
        if any(s <= t <= s + difference for s in is_open):
            known.append(row)
            for start in is_open:
                span = [r for r in known if start <= r[2] <= start + difference]
                if span and (start not in of_key or span != of_key[start].rows):
                    of_key[start] = Window(start, start + difference, span)
                    outcome.changes.append(of_key[start].row(key))
        else:
            outcome.late.append(row)
        close(outcome, windows, lambda w, now=now: w.end + grace < now)
    return outcome


def session_model(
    gap_of: Callable[[int], int], grace: int, max_length: int | None, rows: list[Given], *, is_final: bool
) -> Outcome:
    outcome, sessions, now = Outcome(), dict[str, list[Window]](), -1

    def close_sessions() -> None:
        closing = [(w.until, key, w) for key, ws in sessions.items() for w in ws if w.until + grace < now]
        for _, key, window in sorted(closing, key=lambda c: (*c[:2], c[2].start)):
            sessions[key].remove(window)
            outcome.finals.append(window.row(key, window.end))

    for row in rows:
        key, number, t = row
        now = max(now, t)
        if is_final:
            close_sessions()
        until = t + gap_of(number)
        of_key = sessions.setdefault(key, [])
        touched = [
            w
            for w in of_key
            if w.until >= t and w.start <= until and w.until + 2 * (w.until - w.end) + grace >= now
        ]  # fmt: skip
        touched.sort(key=lambda w: (max(0, w.start - t, t - w.end), w.start))
        joined = Window(t, t, [], until)
        parts: list[Window] = []
        for w in touched:
            start, end = min(joined.start, w.start), max(joined.end, w.end)
            if max_length is None or end - start <= max_length:
                joined = Window(start, end, [], max(joined.until, w.until))
                parts.append(w)
        if joined.until + grace < now:
            outcome.late.append(row)
            continue
        parts.sort(key=lambda w: w.start)
        joined.rows = [*(r for w in parts for r in w.rows), row]
        is_same_instant = len(parts) == 1 and parts[0].start == parts[0].end == joined.start == joined.end
        for w in parts:
            of_key.remove(w)
            if not is_same_instant:
                outcome.changes.append((f"{key}@{w.start}/{w.end}", None, w.end))
        of_key.append(joined)
        outcome.changes.append(joined.row(key, joined.end))
    return outcome


@dataclass(frozen=True)
class Case:
    """Windows as declared, and what their model gives for records; `is_final` tells how results are wanted."""

    declared: Any
    model: Callable[[list[Given], bool], Outcome]


def ms(number: int) -> str:
    return f"{number}ms"


@st.composite
def time_cases(draw: st.DrawFn, unit: int) -> Case:
    size = draw(st.integers(1, 9)) * unit
    advance = draw(st.sampled_from([size, size, *(n * unit for n in range(1, size // unit + 1))]))
    offset, grace = draw(st.integers(0, 4)) * unit, draw(st.integers(0, 9)) * unit
    declared = (
        tumbling(ms(size), grace=ms(grace), offset=ms(offset))
        if size == advance
        else hopping(ms(size), ms(advance), grace=ms(grace), offset=ms(offset))
    )
    return Case(declared, lambda rows, _: time_model(size, advance, offset, grace, rows))


@st.composite
def sliding_cases(draw: st.DrawFn, unit: int) -> Case:
    difference, grace = draw(st.integers(1, 9)) * unit, draw(st.integers(0, 9)) * unit
    return Case(sliding(ms(difference), grace=ms(grace)), lambda rows, _: sliding_model(difference, grace, rows))


@st.composite
def session_cases(draw: st.DrawFn, unit: int) -> Case:
    gap, grace = draw(st.integers(1, 6)) * unit, draw(st.integers(0, 6)) * unit
    max_length = draw(st.sampled_from([None, None, 3 * unit, 8 * unit]))
    if draw(st.booleans()):
        gap_of = lambda _: gap
        declared: Any = ms(gap)
    else:
        gap_of = lambda number: gap + number % 3 * unit
        declared = lambda number: ms(gap_of(number))
    windows = session(declared, grace=ms(grace), max_length=None if max_length is None else ms(max_length))
    return Case(windows, lambda rows, is_final: session_model(gap_of, grace, max_length, rows, is_final=is_final))


UNITS = [1, 20_000]  # the second makes entries expire
KINDS = {"time": time_cases, "sliding": sliding_cases, "session": session_cases}
# Keys, and how much later than the stream time each record is: most are near it, some jump, some are late.
step = st.tuples(st.sampled_from("ab"), st.sampled_from([-14, -6, -4, -3, -2, -1, -1, 0, 0, 1, 1, 2, 2, 3, 4, 5, 9]))
# Reason: lists of a size that is drawn first are long more often than lists of any size.
steps = st.integers(0, 24).flatmap(lambda n: st.lists(step, min_size=n, max_size=n))


def rows_of(taken: list[tuple[str, int]], unit: int) -> list[Given]:
    rows, now = [], 10
    for number, (key, step) in enumerate(taken):
        time = max(0, now + step)
        now = max(now, time)
        rows.append((key, number, time * unit))
    return rows


def run(
    case: Case, rows: list[Given], cut: Interruptions, emit: str, changes: str, *, counts: bool
) -> tuple[list[Row], list[Given]]:
    app = App("law")
    given_topic = app.topic("given", key=str, value=int)
    value: Any = int if counts else list[int]
    results = app.topic("results", key=Windowed[str], value=value)
    late = app.topic("late", key=str, value=int)

    @app.topology(given_topic, to=(results, late))
    def law(given: Stream[str, int]) -> tuple[Table[Windowed[str], value], Stream[str, int]]:
        grouped: Any = given.group_by_key().window(case.declared)
        options: Any = {"emit": emit, "changes": changes}
        if counts:
            table = grouped.count(**options)
            return table, table.late
        if isinstance(case.declared, type(session("1s"))):
            options["merge"] = joined
        table = grouped.aggregate(list, append, type=list[int], **options)
        return table, table.late

    options: Any = {
        "chunk": cut.chunk, "seed": cut.seed,
        "cache_entries": cut.cache_entries, "max_uncommitted_keys": cut.max_uncommitted_keys,
    }  # fmt: skip
    with TestDriver(app, **options) as driver:
        for i, (key, number, time) in enumerate(rows):
            driver.send(given_topic, number, key=key, at=time)
            if i in cut.events:
                driver.turn()
                if cut.events[i] != "turn":
                    driver.restart(keep_state=cut.events[i] == "crash, disk kept")
        return (
            [(str(record.key), record.value, record.timestamp_ms) for record in driver.records(results)],
            [(record.key, record.value, record.timestamp_ms) for record in driver.records(late)],
        )


def append(numbers: list[int], number: int) -> list[int]:
    numbers.append(number)
    return numbers


def joined(left: list[int], right: list[int]) -> list[int]:
    left.extend(right)
    return left


def counted(rows: list[Row]) -> list[Row]:
    return [(key, None if numbers is None else len(numbers), timestamp) for key, numbers, timestamp in rows]


def present(rows: dict[str, tuple[Any, int]]) -> dict[str, tuple[Any, int]]:
    return {key: row for key, row in rows.items() if row[0] is not None}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("results", ["latest", "all", "final"])
@given(data=st.data(), taken=steps, cut=interruptions, unit=st.sampled_from(UNITS), counts=st.booleans())
@settings(max_examples=80)
def test_windows_do_not_depend_on_cuts(
    kind: str,
    results: str,
    data: st.DataObject,
    taken: list[tuple[str, int]],
    cut: Interruptions,
    unit: int,
    counts: bool,
) -> None:
    case: Case = data.draw(KINDS[kind](unit))
    rows = rows_of(taken, unit)
    expected = case.model(rows, results == "final")
    emit, changes = ("final", "latest") if results == "final" else ("changes", results)
    found, late = run(case, rows, cut, emit, changes, counts=counts)
    assert late == expected.late
    if counts:
        expected.changes, expected.finals = counted(expected.changes), counted(expected.finals)
    if results == "final":
        assert found == expected.finals
    elif results == "all":
        assert found == expected.changes
    else:
        assert present(latest(found)) == present(latest(expected.changes))
        assert_subsequence(found, expected.changes)
