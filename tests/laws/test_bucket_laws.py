"""Laws of the stores of several rows per key: whatever happens to a transaction, they answer like a list of rows."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from serde import for_type
from state import BytesBackend, MemoryBackend, StoreSpec, TaskState
from state.buckets import RowKey, RowKeySerde, number_of, suffix_of, suffix_time
from state.rocksdb import RocksBackend
from tests.laws.layers import LayeredStore

SEGMENT_MS = 4
KEYS = [b"", b"a", b"ab", b"b"]

keys = st.sampled_from(KEYS)
times = st.integers(0, 20)
Rows = dict[tuple[bytes, int, int], str]  # key, time, number → value


class Buckets(LayeredStore):
    """See `layers.py`."""

    now: Rows

    def open_backend(self) -> BytesBackend:
        raise NotImplementedError

    @initialize(cache_entries=st.sampled_from([0, 2, 4, 100]))
    def open(self, cache_entries: int) -> None:
        serde = RowKeySerde(for_type(bytes), SEGMENT_MS)
        self.spec = StoreSpec("s", serde, for_type(str), has_clock=True, is_bucketed=True, segment_ms=SEGMENT_MS)
        self.cache_entries = cache_entries
        self.state = TaskState([self.spec], self.open_backend(), cache_entries)
        self.begin()
        self.log_size = 0

    @rule(key=keys, time=times, value=st.text("xyz", min_size=1, max_size=2))
    def add(self, key: bytes, time: int, value: str) -> None:
        number = sum((k, t) == (key, time) for k, t, _ in self.now)
        assert self.store.add(key, time, value) == suffix_of(time, number)
        self.now = {**self.now, (key, time, number): value}

    @rule(key=keys, time=times)
    def remove_rows_of_a_time(self, key: bytes, time: int) -> None:
        for k, t, number in self.now:
            if (k, t) == (key, time):
                self.store.remove(key, suffix_of(time, number))
        self.now = {row: value for row, value in self.now.items() if row[:2] != (key, time)}

    @rule(key=keys, start=times, length=st.integers(-2, 9))
    def look_up(self, key: bytes, start: int, length: int) -> None:
        found = [
            (suffix_time(suffix), number_of(suffix), value)
            for suffix, (value, _) in self.store.rows(key, start - 2, start - 2 + length)
        ]
        inside = [(t, n, v) for (k, t, n), v in self.now.items() if k == key and start - 2 <= t <= start - 2 + length]
        assert found == sorted(inside)

    @rule(wanted=st.lists(st.tuples(keys, times, st.integers(0, 1)), unique=True))
    def get(self, wanted: list[tuple[bytes, int, int]]) -> None:
        found = self.store.get_many(self.spec.key_serde.serialize_many(wanted_keys(wanted)))
        values = [None if entry is None else entry[0] for entry in found]
        assert values == [self.now.get(row) for row in wanted]

    @rule()
    def settle(self) -> None:
        self.settle_all()

    @rule()
    def commit(self) -> None:
        self.settle()
        batch = self.state.changelog().get("s")
        self.log_size += len(batch.keys) if batch else 0
        self.state.commit({"s": self.log_size - 1})
        self.committed = self.now

    @rule()
    def reopen(self) -> None:
        """A crash with the disk kept: what was committed is there, and nothing else."""
        self.state.close()
        self.state = TaskState([self.spec], self.open_backend(), self.cache_entries)
        self.now = self.accepted = self.settled = self.committed

    @invariant()
    def scan_gives_all_rows(self) -> None:
        found = {tuple(self.spec.key_serde.deserialize(key)): entry[0] for key, entry in self.store.scan()}
        assert found == self.now


def wanted_keys(wanted: list[tuple[bytes, int, int]]) -> list[Any]:
    return [RowKey(*row) for row in wanted]


class BucketsInMemory(Buckets):
    def __init__(self) -> None:
        super().__init__()
        self.backend = MemoryBackend(["s"])

    def open_backend(self) -> BytesBackend:
        return self.backend


class BucketsOnRocksDb(Buckets):
    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()

    def open_backend(self) -> BytesBackend:
        return RocksBackend(Path(self.folder.name) / "task", ["s"])

    def teardown(self) -> None:
        if hasattr(self, "state"):
            self.state.close()
        self.folder.cleanup()


TestBucketsInMemory = BucketsInMemory.TestCase
TestBucketsInMemory.settings = settings(max_examples=2 * settings.default.max_examples, stateful_step_count=40)
TestBucketsOnRocksDb = BucketsOnRocksDb.TestCase
TestBucketsOnRocksDb.settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=30)
