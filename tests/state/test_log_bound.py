"""Up to where the changelog of a store that forgets by time is dead; that no record is lost is a law."""

import pytest

from serde import for_type
from state import MemoryBackend, StoreSpec, TaskState
from state.keys import time_bytes
from state.log_bound import LogBound

SPEC = StoreSpec("windows", for_type(bytes), for_type(int), has_clock=True, retention_ms=20, segment_ms=10)


def commit(state: TaskState, times: list[int], clock_ms: int, position: int) -> int:
    """Put an entry of each time, move the clock and commit; the bound after it."""
    store = state.stores["windows"]
    store.put_many({time_bytes(time): (1, time) for time in times})
    store.clock_ms = clock_ms
    state.changelog()
    state.commit({"windows": position})
    return state.dead_before("windows")


def test_bound_is_where_the_oldest_live_segment_was_begun() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    assert commit(state, [5], 5, position=1) == 0
    assert commit(state, [12], 12, position=4) == 0
    assert commit(state, [22], 22, position=7) == 0
    assert commit(state, [31], 31, position=10) == 2
    assert commit(state, [42], 42, position=13) == 5


def test_bound_late_entry_of_a_live_segment_does_not_move_it() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    commit(state, [5], 5, position=1)
    commit(state, [25], 25, position=4)
    assert commit(state, [15], 31, position=7) == 2
    assert commit(state, [28], 44, position=10) == 2


def test_bound_clock_that_stands_still_keeps_its_record() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    commit(state, [], 50, position=3)
    assert commit(state, [55], 50, position=5) == 0
    assert commit(state, [], 100, position=7) == 6


def test_bound_survives_a_restart() -> None:
    backend = MemoryBackend(["windows"])
    state = TaskState([SPEC], backend)
    for i, time in enumerate([5, 15, 25, 35]):
        commit(state, [time], time, position=2 * i + 1)
    assert TaskState([SPEC], backend).dead_before("windows") == state.dead_before("windows") == 2


def test_bound_of_a_store_that_just_began_to_forget_waits_until_all_it_had_is_too_old() -> None:
    backend = MemoryBackend(["windows"])
    before = TaskState([StoreSpec("windows", for_type(bytes), for_type(int), has_clock=True)], backend)
    commit(before, [5, 33], 33, position=2)
    state = TaskState([SPEC], backend)
    assert commit(state, [44], 44, position=4) == 0
    assert commit(state, [59], 59, position=6) == 0
    assert commit(state, [60], 60, position=8) == 3


def test_bound_after_restore_in_slices_is_where_the_slice_began() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    one = for_type(int).serialize(1)
    state.restore("windows", [time_bytes(5), b""], [one, b"5"], [5, 5], 10)
    state.restore("windows", [time_bytes(39), b""], [one, b"39"], [39, 39], 20)
    assert state.dead_before("windows") == 11


def test_bound_of_a_wiped_store_is_the_beginning() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    commit(state, [5], 5, position=1)
    commit(state, [45], 45, position=3)
    state.wipe("windows")
    assert state.dead_before("windows") == 0


def test_bound_store_that_keeps_everything_has_none() -> None:
    state = TaskState(
        [StoreSpec("windows", for_type(bytes), for_type(int), has_clock=True)], MemoryBackend(["windows"])
    )
    assert commit(state, [5], 1_000, position=1) == 0


def test_bound_of_many_segments_is_kept_in_few_steps_that_are_early_rather_than_late() -> None:
    bound = LogBound(10)
    for i in range(1_000):
        bound.wrote(time_bytes(10 * i), i)
    bound.moved_clock(1_000, 9_000)
    assert 0 < 900 - bound.offset < 100
    assert len(bound.dump(0)) < 2_000


@pytest.mark.parametrize("position", [3, 5])
def test_bound_stored_at_another_position_is_not_believed(position: int) -> None:
    bound = LogBound(10)
    bound.wrote(time_bytes(5), 2)
    bound.moved_clock(2, 0)
    assert LogBound.load(bound.dump(4), 10, position, time_bytes(5)).offset == 0
    assert LogBound.load(bound.dump(4), 10, 4, time_bytes(5)).offset == 2
