"""Clocks and retention of stores; positions are in the laws."""

from serde import for_type
from state import CLOCK_KEY, MemoryBackend, StoreSpec, TaskState
from state.keys import bucket_key, bucket_parts, bucket_ranges, time_bytes

SPEC = StoreSpec(
    "windows", for_type(bytes), for_type(int), has_clock=True, is_ordered=True, retention_ms=100, segment_ms=10
)


PLAIN = StoreSpec("plain", for_type(bytes), for_type(int), is_ordered=True)


def test_clock_after_abort_is_the_committed_one() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    store = state.stores["windows"]
    store.put(time_bytes(5), (1, 5))
    store.clock_ms = 5
    state.changelog()
    state.commit({"windows": 1})
    store.clock_ms = 9
    state.abort()
    assert store.clock_ms == 5


def test_position_after_commit_is_that_of_the_last_changelog_record() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    state.stores["windows"].put(time_bytes(5), (1, 5))
    state.changelog()
    state.commit({"windows": 7})
    assert state.position("windows") == 7


def test_clock_is_restored_from_the_changelog() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    state.stores["windows"].put(time_bytes(5), (1, 5))
    state.stores["windows"].clock_ms = 7
    batch = state.changelog()["windows"]
    other = TaskState([SPEC], MemoryBackend(["windows"]))
    other.restore("windows", batch.keys, batch.values, batch.timestamps, 1)
    assert other.stores["windows"].clock_ms == 7
    assert list(other.stores["windows"].scan()) == [(time_bytes(5), (1, 5))]


def test_rejected_chunk_takes_its_clock_along() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    store = state.stores["windows"]
    store.clock_ms = 3
    state.accept()
    store.clock_ms = 8
    state.reject()
    assert store.clock_ms == 3


def test_entries_older_than_retention_leave_the_store_and_are_not_logged() -> None:
    backend = MemoryBackend(["windows"])
    state = TaskState([SPEC], backend)
    store = state.stores["windows"]
    store.put_many({time_bytes(5): (1, 5), time_bytes(50): (2, 50)})
    state.changelog()
    state.commit({"windows": 2})
    store.put_many({time_bytes(30): (3, 30), time_bytes(140): (4, 140)})
    store.clock_ms = 149
    assert state.changelog()["windows"].keys == [time_bytes(140), b""]
    state.commit({"windows": 4})
    assert [key for key, _ in backend.scan("windows")] == [time_bytes(50), time_bytes(140)]


def test_restore_drops_what_the_clock_says_is_too_old() -> None:
    backend = MemoryBackend(["windows"])
    state = TaskState([SPEC], backend)
    keys = [time_bytes(5), time_bytes(180), b""]
    state.restore("windows", keys, [for_type(int).serialize(1)] * 2 + [b"190"], [5, 180, 190], 2)
    assert [key for key, _ in backend.scan("windows")] == [time_bytes(180)]


def test_queue_entries_before_its_clock_are_neither_seen_nor_written() -> None:
    spec = StoreSpec(
        "s", for_type(bytes), for_type(int), has_clock=True, is_queue=True, is_ordered=True, retention_ms=0
    )
    state = TaskState([spec], MemoryBackend(["s"]))
    store = state.stores["s"]
    store.put_many({time_bytes(at): (1, at) for at in (5, 6, 70_000)})
    store.clock_ms = 6
    assert [key for key, _ in store.scan()] == [time_bytes(6), time_bytes(70_000)]
    batch = state.changelog()["s"]
    assert batch.keys == [time_bytes(6), time_bytes(70_000), CLOCK_KEY]
    other = TaskState([spec], MemoryBackend(["s"]))
    other.restore("s", batch.keys, batch.values, batch.timestamps, 2)
    assert [key for key, _ in other.stores["s"].scan()] == [time_bytes(6), time_bytes(70_000)]


def test_entry_of_an_ordered_store_that_came_and_went_is_not_written() -> None:
    state = TaskState([PLAIN], MemoryBackend(["plain"]))
    store = state.stores["plain"]
    store.put(b"stays", (1, 5))
    state.changelog()
    state.commit({"plain": 0})
    store.put_many({b"stays": (None, 6), b"came": (2, 6)})
    state.accept()
    store.put(b"came", (None, 7))
    batch = state.changelog()["plain"]
    assert (batch.keys, batch.values) == ([b"stays"], [None])


def test_queue_whose_chunk_is_rejected_has_its_head_again() -> None:
    spec = StoreSpec(
        "s", for_type(bytes), for_type(int), has_clock=True, is_queue=True, is_ordered=True, retention_ms=0
    )
    state = TaskState([spec], MemoryBackend(["s"]))
    store = state.stores["s"]
    store.put(time_bytes(5), (1, 5))
    state.accept()
    store.clock_ms = 9
    state.reject()
    assert [key for key, _ in store.scan()] == [time_bytes(5)]


def test_ordered_store_scan_sees_layers_in_order() -> None:
    state = TaskState([PLAIN], MemoryBackend(["plain"]))
    store = state.stores["plain"]
    store.put_many({b"b": (2, 0), b"d": (4, 0)})
    state.changelog()
    state.commit({"plain": 1})
    store.put_many({b"c": (3, 0), b"d": (None, 0)})
    store.accept()
    store.put_many({b"a": (1, 0)})
    assert list(store.scan()) == [(b"a", (1, 0)), (b"b", (2, 0)), (b"c", (3, 0))]
    store.reject()
    assert list(store.scan(b"b", b"c")) == [(b"b", (2, 0))]


def test_settled_entry_is_the_one_before_the_changes_of_the_flush() -> None:
    state = TaskState([SPEC], MemoryBackend(["windows"]))
    store = state.stores["windows"]
    store.put(b"a", (1, 0))
    state.settle()
    store.put_many({b"a": (2, 0), b"b": (1, 0)})
    assert store.settled([b"a", b"b"]) == [(1, 0), None]


def test_bucket_ranges_hold_the_entries_of_one_key_only() -> None:
    keys = sorted(
        bucket_key(time - time % 10, key, time, b"x") for key in (b"a", b"a\0", b"b") for time in (3, 9, 14, 25)
    )
    found = [k for start, end in bucket_ranges(b"a", 9, 20, 10) for k in keys if start <= k < end]
    assert [bucket_parts(key) for key in found] == [(b"a", 9, b"x"), (b"a", 14, b"x")]
