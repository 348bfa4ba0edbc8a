"""A store that is used as a queue: what was taken from its head is not stepped over again."""

from collections.abc import Iterator

from serde import for_type
from state import StoreSpec, TaskState
from state.memory import MemoryBackend

NAME = "queue"


class WatchedBackend(MemoryBackend):
    """Notes where scans begin."""

    def __init__(self) -> None:
        super().__init__([NAME])
        self.starts: list[bytes] = []

    def scan(
        self, store: str, start: bytes | None = None, end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        if not reverse:
            self.starts.append(start or b"")
        return super().scan(store, start, end, reverse=reverse)


def queue() -> tuple[WatchedBackend, TaskState]:
    backend = WatchedBackend()
    spec = StoreSpec(NAME, for_type(bytes), for_type(str), is_ordered=True)
    return backend, TaskState([spec], backend)


def put(state: TaskState, *keys: bytes, value: str | None = "x") -> None:
    state.stores[NAME].put_many(dict.fromkeys(keys, (value, 0)))
    state.accept()


def commit(state: TaskState) -> None:
    state.settle()
    state.changelog()
    state.commit({NAME: state.position(NAME) + 1})


def keys(state: TaskState, end: bytes | None = None) -> list[bytes]:
    return [key for key, _ in state.stores[NAME].scan(None, end)]


def test_scan_after_the_head_was_taken_begins_behind_it() -> None:
    backend, state = queue()
    put(state, b"a", b"b", b"c")
    commit(state)
    put(state, b"a", b"b", value=None)
    commit(state)
    assert keys(state) == [b"c"]
    assert keys(state) == [b"c"]
    assert backend.starts[-1] == b"c"


def test_scan_that_finds_nothing_lets_the_next_begin_at_its_end() -> None:
    backend, state = queue()
    put(state, b"c")
    commit(state)
    assert keys(state, b"b") == []
    assert keys(state, b"d") == [b"c"]
    assert backend.starts[-1] == b"b"


def test_key_put_before_the_head_is_found_before_and_after_the_commit() -> None:
    _, state = queue()
    put(state, b"c")
    commit(state)
    assert keys(state) == [b"c"]
    put(state, b"a")
    assert keys(state) == [b"a", b"c"]
    commit(state)
    assert keys(state) == [b"a", b"c"]


def test_key_restored_before_the_head_is_found() -> None:
    _, state = queue()
    put(state, b"c")
    commit(state)
    assert keys(state) == [b"c"]
    state.restore(NAME, [b"a"], [b"x"], [0], position=9)
    assert keys(state) == [b"a", b"c"]


def test_deletion_that_is_aborted_leaves_the_head_where_it_was() -> None:
    _, state = queue()
    put(state, b"a", b"c")
    commit(state)
    put(state, b"a", value=None)
    assert keys(state) == [b"c"]
    state.abort()
    assert keys(state) == [b"a", b"c"]
