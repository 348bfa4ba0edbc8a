"""Laws of `deduplicate` and `limit_rate`: they pass what a look at all earlier records would, however input is cut."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import App, Stream
from framework.testing import TestDriver
from tests.laws.test_operator_laws import Interruptions, interruptions

Row = tuple[str, str, int]


def first_of_each_id(rows: list[Row], within: int, grace: int) -> Iterator[Row]:
    now, passed = -1, []
    for key, value, t in rows:
        now = max(now, t)
        if t > now - within and not any(value == v and abs(t - time) < within for v, time in passed):
            passed.append((value, t))
            yield key, value, t


def first_of_each_period(rows: list[Row], per: int, grace: int) -> Iterator[Row]:
    now, passed = -1, []
    for key, value, t in rows:
        now = max(now, t)
        if (t // per + 1) * per + grace > now and passed.count((key, t // per)) < 2:
            passed.append((key, t // per))
            yield key, value, t


def run(verb: str, options: Any, rows: list[Row], cut: Interruptions, backend: Any) -> list[Row]:
    app = App("law")
    given_rows = app.topic("given", key=str, value=str)
    results = app.topic("results", key=str, value=str)

    @app.topology(given_rows, to=results)
    def limit(given: Stream[str, str]) -> Stream[str, str]:
        if verb == "deduplicate":
            return given.deduplicate(lambda value: value, within=options["per"])
        return given.limit_rate(2, **options)

    with TestDriver(
        app,
        chunk=cut.chunk,
        seed=cut.seed,
        backend=backend,
        cache_entries=cut.cache_entries,
        max_uncommitted_keys=cut.max_uncommitted_keys,
    ) as driver:
        for i, (key, value, timestamp) in enumerate(rows):
            driver.send(given_rows, value, key=key, at=timestamp)
            if event := cut.events.get(i):
                driver.turn()
                if event != "turn":
                    driver.restart(keep_state=event == "crash, disk kept")
        return [(record.key, record.value, record.timestamp_ms) for record in driver.records(results)]


@pytest.mark.parametrize(("verb", "model"), [("deduplicate", first_of_each_id), ("limit_rate", first_of_each_period)])
@pytest.mark.parametrize("backend", ["memory", "rocksdb"])
@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 60)), max_size=25),
    per=st.sampled_from([1, 7, 10]),
    grace=st.sampled_from([0, 5]),
    cut=interruptions,
)
def test_what_passes_does_not_depend_on_cuts(
    verb: str, model: Any, backend: str, rows: list[Row], per: int, grace: int, cut: Interruptions
) -> None:
    found = run(verb, {"per": f"{per}ms", "grace": f"{grace}ms"}, rows, cut, backend)
    assert found == list(model(rows, per, grace))
