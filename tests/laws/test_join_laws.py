"""Laws of the joins of streams: they write what nested loops over all records find, however the input is cut."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import App, RecordError, Stream
from framework.testing import TestDriver
from tests.laws.test_operator_laws import Interruptions, interruptions

Row = tuple[str | None, str, int]
Given = tuple[str, str, int]
Written = tuple[list[Row], dict[str, list[Given]]]
"""The results, and the late records of each side."""


@dataclass(frozen=True)
class Join:
    kind: str
    before: int
    after: int
    grace: int
    late: Any


@dataclass
class NestedLoops:
    """A join that keeps all records and looks at each of them."""

    join: Join
    kept: dict[str, list[tuple[str, str, int]]] = field(default_factory=lambda: {"L": [], "R": []})
    clock: dict[str, int] = field(default_factory=lambda: {"L": -1, "R": -1})
    now: int = -1
    waiting: list[tuple[int, bool, str, int, str]] = field(default_factory=list)  # as they go out: time, is left, key
    passed: set[int] = field(default_factory=set)  # numbers of the left rows that a semi-join let through
    late: dict[str, list[Given]] = field(default_factory=lambda: {"L": [], "R": []})

    def feed(self, side: str, key: str | None, value: str | None, t: int) -> Iterator[Row]:
        j = self.join
        outer = {"inner": "", "left": "L", "outer": "LR", "semi": ""}[j.kind]
        if value is None or (key is None and side not in outer):
            return
        self.now = max(self.now, t)
        closed = [w for w in self.waiting if w[0] + (j.after if w[1] else j.before) + j.grace < self.now]
        self.waiting = [w for w in self.waiting if w not in closed]
        for time, is_left, k, _, v in sorted(closed):
            yield k, joined(v, None) if is_left else joined(None, v), time
        if key is None:
            yield None, joined(value, None) if side == "L" else joined(None, value), t
            return
        is_closed = t + (j.after if side == "L" else j.before) + j.grace < self.now
        if is_closed and j.late == "drop":
            self.late[side].append((key, value, t))
            return
        matches = self.matches(side, key, t)
        if j.kind == "semi":
            yield from self.semi(side, key, value, t, matches)
        else:
            for time, number, v in matches:
                yield key, joined(value, v) if side == "L" else joined(v, value), max(t, time)
                self.waiting = [w for w in self.waiting if (w[1], w[3]) != (side == "R", number)]
            if not matches and side in outer:
                if is_closed:
                    yield key, joined(value, None) if side == "L" else joined(None, value), t
                else:
                    self.waiting.append((t, side == "L", key, len(self.kept[side]), value))
        self.clock[side] = max(self.clock[side], t)
        self.kept[side].append((key, value, t))

    def matches(self, side: str, key: str, t: int) -> list[tuple[int, int, str]]:
        """The other side's rows that a record meets: time, number, value."""
        j, other = self.join, "R" if side == "L" else "L"
        found = []
        for number, (k, v, time) in enumerate(self.kept[other]):
            left, right = (t, time) if side == "L" else (time, t)
            is_kept = time >= self.clock[other] - j.before - j.after - j.grace
            was_kept = self.is_stored(other, number)
            if k == key and left - j.before <= right <= left + j.after and is_kept and was_kept:
                found.append((time, number, v))
        return sorted(found)

    def is_stored(self, side: str, number: int) -> bool:
        """Whether a row was not too old when it came."""
        j, kept = self.join, self.kept[side]
        clock = max(t for _, _, t in kept[: number + 1])
        return kept[number][2] >= clock - j.before - j.after - j.grace

    def semi(self, side: str, key: str, value: str, t: int, matches: list[Any]) -> Iterator[Row]:
        if side == "L":
            if matches:
                self.passed.add(len(self.kept["L"]))
                yield key, value, max(t, matches[0][0])
            return
        for time, number, v in matches:
            if number not in self.passed:
                self.passed.add(number)
                yield key, v, max(t, time)


def joined(left: str | None, right: str | None) -> str:
    if (left, right) in (("l!", None), ("l?", "r?")):
        raise ValueError("refused")
    return f"{left}+{right}"


def nested_loops(join: Join, given_rows: list[Any]) -> Written:
    """What each record gives, in its order; one that fails leaves nothing."""
    model = NestedLoops(join)
    written: list[Row] = []
    for side, key, value, t in given_rows:
        before = copy.deepcopy(model)
        try:
            written += list(model.feed(side, key, value, t))
        except ValueError:
            model = before
    return written, model.late


def run(join: Join, given_rows: list[Any], cut: Interruptions, backend: Any) -> Written:
    app = App("law")
    lefts = app.topic("lefts", key=str, value=str)
    rights = app.topic("rights", key=str, value=str)
    results = app.topic("results", key=str, value=str)
    late = {side: app.topic(f"late-{side}", key=str, value=str) for side in "LR"}
    times: dict[str, Any] = {
        "within": (f"{join.before}ms", f"{join.after}ms"),
        "grace": f"{join.grace}ms",
        "late": join.late,
    }

    @app.topology(lefts, rights)
    def declare(lefts: Stream[str, str], rights: Stream[str, str]) -> None:
        verb = {"inner": "join", "left": "left_join", "outer": "outer_join", "semi": "semi_join"}[join.kind]
        function = {} if join.kind == "semi" else {"value": joined}
        written = getattr(lefts, verb)(rights, **function, **times)
        written.to(results)
        if join.late == "drop":
            written.late_left.to(late["L"])
            written.late_right.to(late["R"])

    options: Any = {
        "chunk": cut.chunk, "seed": cut.seed, "backend": backend,
        "cache_entries": cut.cache_entries, "max_uncommitted_keys": cut.max_uncommitted_keys,
    }  # fmt: skip
    with TestDriver(app, **options) as driver:
        for i, (side, key, value, timestamp) in enumerate(given_rows):
            topic = lefts if side == "L" else rights
            persistently(partial(driver.send, topic, value, key=key, at=timestamp), once=True)
            if event := cut.events.get(i):
                persistently(driver.turn, once=True)
                if event != "turn":
                    driver.restart(keep_state=event == "crash, disk kept")

        def rows(topic: Any) -> list[Any]:
            records = persistently(lambda: driver.records(topic))
            return [(record.key, record.value, record.timestamp_ms) for record in records]

        return rows(results), {side: rows(topic) if join.late == "drop" else [] for side, topic in late.items()}


def persistently(work: Any, *, once: bool = False) -> Any:
    """Do something until no record fails any more."""
    while True:
        try:
            return work()
        except RecordError:
            if once:
                return None


joins = st.builds(
    Join,
    kind=st.sampled_from(["inner", "left", "outer", "semi"]),
    before=st.sampled_from([0, 3, 1_500]),
    after=st.sampled_from([0, 4, 700]),
    grace=st.sampled_from([0, 5]),
    late=st.sampled_from(["join", "drop"]),
)
times = st.one_of(st.integers(0, 30), st.integers(0, 5_000))
left_rows = st.tuples(
    st.just("L"), st.sampled_from(["a", "a", "b", None]), st.sampled_from(["l", "l?", "l!", None]), times
)
right_rows = st.tuples(st.just("R"), st.sampled_from(["a", "a", "b", None]), st.sampled_from(["r", "r?", None]), times)


@pytest.mark.parametrize("backend", ["memory", "rocksdb"])
@given(join=joins, given_rows=st.lists(left_rows | right_rows, max_size=25), cut=interruptions)
def test_join_writes_what_nested_loops_find(
    backend: str, join: Join, given_rows: list[Any], cut: Interruptions
) -> None:
    assert run(join, given_rows, cut, backend) == nested_loops(join, given_rows)
