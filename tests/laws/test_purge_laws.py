"""Laws of the changelogs that are cut: what is deleted is never needed by a restore, at whatever moment it begins.

That results stay the same is in the laws of the operators: the test driver deletes what is dead at each commit.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework import App, Stream, Table, Windowed, tumbling
from framework.records import TopicPartition
from framework.testing import TestDriver
from serde import for_type
from state import MemoryBackend, StoreSpec, TaskState
from state.keys import time_bytes

Logged = tuple[bytes, bytes | None, int]
Rows = dict[bytes, Any]


class Life:
    """A store, its changelog as a broker keeps it, and the first offset that is left of that."""

    def __init__(self, retention_ms: int, segment_ms: int) -> None:
        self.spec = StoreSpec(
            "s", for_type(bytes), for_type(int), has_clock=True, retention_ms=retention_ms, segment_ms=segment_ms
        )
        self.log: list[Logged] = []
        self.low = 0
        self.backend = MemoryBackend(["s"])
        self.state = TaskState([self.spec], self.backend)

    def commit(self, changes: list[tuple[int, bytes, int | None]], clock_ms: int) -> None:
        store = self.state.stores["s"]
        store.put_many({time_bytes(time) + key: (value, time) for time, key, value in changes})
        store.clock_ms = max(store.clock_ms, clock_ms)
        if batch := self.state.changelog().get("s"):
            self.log += zip(batch.keys, batch.values, batch.timestamps, strict=True)
            self.log.append((b"marker", None, 0))
            self.state.commit({"s": len(self.log) - 2})

    def purge(self) -> None:
        self.low = max(self.low, self.state.dead_before("s"))
        assert self.low <= self.state.position("s") + 1

    def restart(self) -> None:
        self.state = TaskState([self.spec], self.backend)

    def move(self, slice_records: int) -> None:
        """Go on with a new store, restored from what is left of the log."""
        self.backend, self.state = self.restored(slice_records)

    def restored(self, slice_records: int) -> tuple[MemoryBackend, TaskState]:
        backend = MemoryBackend(["s"])
        state = TaskState([self.spec], backend)
        left = [(i, row) for i, row in enumerate(self.log) if i >= self.low and row[0] != b"marker"]
        for at in range(0, len(left), slice_records):
            part = left[at : at + slice_records]
            keys, values, times = zip(*(row for _, row in part), strict=True)
            state.restore("s", keys, values, times, part[-1][0])
        return backend, state


changes = st.lists(
    st.tuples(st.integers(-30, 40), st.sampled_from([b"a", b"b"]), st.integers(0, 9) | st.none()), max_size=4
)
commits = st.lists(
    st.tuples(
        changes,
        st.sampled_from([0, 0, 1, 7, 12, 60]),
        st.sampled_from(["purge", "nothing", "restart", "move"]),
        st.integers(1, 6),
    ),
    max_size=25,
)


@given(commits=commits, retention_ms=st.sampled_from([0, 10, 25]), segment_ms=st.sampled_from([5, 10, 60]))
def test_store_restored_from_what_is_left_is_the_store(commits: list[Any], retention_ms: int, segment_ms: int) -> None:
    life, now = Life(retention_ms, segment_ms), 0
    for changed, moved_ms, event, slice_records in commits:
        now += moved_ms
        life.commit([(max(0, now + time), key, value) for time, key, value in changed], now)
        if event == "purge":
            life.purge()
        elif event == "restart":
            life.restart()
        elif event == "move":
            life.move(slice_records)
        backend, state = life.restored(slice_records)
        assert dict(backend.scan("s")) == dict(life.backend.scan("s"))
        assert state.stores["s"].clock_ms == life.state.stores["s"].clock_ms


@pytest.mark.parametrize("is_kept", [True, False], ids=["same disk", "new disk"])
def test_driver_cuts_the_changelogs_of_windows_and_not_those_of_counts(is_kept: bool) -> None:
    app = App("app")
    given_rows = app.topic("given", key=str, value=int)
    windows = app.topic("windows", key=Windowed[str], value=int)
    totals = app.topic("totals", key=str, value=int)

    @app.topology(given_rows, to=(windows, totals))
    def count(given: Stream[str, int]) -> tuple[Table[Windowed[str], int], Table[str, int]]:
        grouped = given.group_by_key()
        return grouped.window(tumbling("1s")).count(name="windowed"), grouped.count(name="counted")

    with TestDriver(app) as driver:
        for minute in range(10):
            driver.send(given_rows, 1, key=f"k{minute}", at=minute * 60_000)
        driver.restart(keep_state=is_kept)
        assert [window.key for window, _ in driver.store("windowed").items()] == ["k9"]
        assert len(driver.store("counted")) == 10
        left = {
            store: len(driver._run.topics.after(TopicPartition(f"app-{store}-changelog", 0), 0))
            for store in ("windowed", "counted")
        }
        # of each window its entry and the clock
        assert left == {"windowed": 2, "counted": 10}
