"""Laws of versioned stores: whatever the order of times, and whatever was committed between, as a list would answer."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serde import for_type
from state import MemoryBackend, TaskState
from state.versioned import VersionedStore, versioned_specs

HISTORY_MS, SEGMENT_MS, LAST_MS = 12, 5, 30

puts = st.lists(
    st.tuples(
        st.sampled_from([b"a", b"b"]), st.sampled_from([None, 1, 2]), st.integers(0, LAST_MS), st.booleans()
    ),
    max_size=25,
)  # fmt: skip


class Model:
    """Everything that was put, by key and time."""

    def __init__(self) -> None:
        self.puts: dict[bytes, dict[int, Any]] = {b"a": {}, b"b": {}}
        self.clock = -1

    def put(self, key: bytes, value: Any, at: int) -> Any:
        if at < self.clock - HISTORY_MS:
            return "expired"
        self.clock = max(self.clock, at)
        until = min((t for t in self.puts[key] if t > at), default=None)
        self.puts[key][at] = value
        return until

    def get(self, key: bytes) -> Any:
        return self.puts[key][max(self.puts[key])] if self.puts[key] else None

    def as_of(self, key: bytes, at: int) -> Any:
        found = max((t for t in self.puts[key] if t <= at), default=None)
        if found is None or (at < self.clock - HISTORY_MS and found != max(self.puts[key])):
            return None
        return self.puts[key][found]


@settings(max_examples=150, deadline=None)
@given(given=puts)
def test_versioned_store_answers_as_a_list_of_everything_put(given: list[Any]) -> None:
    specs = versioned_specs("store", for_type(bytes), for_type(int), HISTORY_MS, SEGMENT_MS)
    state = TaskState(specs, MemoryBackend([spec.name for spec in specs]), cache_entries=4)
    store, model = VersionedStore(*state.stores.values()), Model()
    for key, value, at, is_committed in given:
        put = store.put(key, value, at)
        assert (put if put == "expired" else put.until_ms) == model.put(key, value, at)
        if is_committed:
            state.changelog()
            state.commit({})
        for asked in (b"a", b"b"):
            found = store.get(asked)
            assert (None if found is None else found.value) == model.get(asked)
            versions = [store.get_as_of(asked, time) for time in range(LAST_MS + 1)]
            assert [None if v is None else v.value for v in versions] == [
                model.as_of(asked, time) for time in range(LAST_MS + 1)
            ]
