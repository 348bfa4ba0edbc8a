"""Laws of the stores of a task: whatever happens to a transaction, they answer like a dict with three savepoints."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from serde import for_type
from state import BytesBackend, MemoryBackend, StoreSpec, TaskState
from state.rocksdb import RocksBackend

ENDS = ["accept", "reject", "settle", "reject_unsettled", "abort", "commit", "reopen"]
KEYS = [b"", b"a", b"ab", b"b", b"c"]

keys = st.sampled_from(KEYS)
entries = st.tuples(st.none() | st.text("xyz", max_size=2), st.integers(0, 5))
Rows = dict[bytes, tuple[str, int]]


class Transactions(RuleBasedStateMachine):
    """`now`, and what reject, reject_unsettled and abort go back to: `accepted`, `settled`, `committed`."""

    def open_backend(self) -> BytesBackend:
        raise NotImplementedError

    @initialize(cache_entries=st.sampled_from([0, 1, 2, 3, 100]), is_ordered=st.booleans())
    def open(self, cache_entries: int, is_ordered: bool) -> None:
        self.cache_entries = cache_entries
        self.spec = StoreSpec("s", for_type(bytes), for_type(str), is_ordered=is_ordered)
        self.state = TaskState([self.spec], self.open_backend(), cache_entries)
        self.now: Rows = {}
        self.accepted: Rows = {}
        self.settled: Rows = {}
        self.committed: Rows = {}
        self.log: list[tuple[bytes, bytes | None, int]] = []

    @property
    def store(self) -> Any:
        return self.state.stores["s"]

    @rule(changes=st.dictionaries(keys, entries, max_size=3))
    def put(self, changes: dict[bytes, Any]) -> None:
        self.store.put_many(changes)
        self.now = {key: entry for key, entry in {**self.now, **changes}.items() if entry[0] is not None}

    @rule(wanted=st.lists(keys, unique=True))
    def get(self, wanted: list[bytes]) -> None:
        found = self.store.get_many(wanted)
        assert [_present(entry) for entry in found] == [self.now.get(key) for key in wanted]

    @rule(start=st.none() | keys, end=st.none() | keys)
    def scan(self, start: bytes | None, end: bytes | None) -> None:
        inside = {k: v for k, v in self.now.items() if (start is None or k >= start) and (end is None or k < end)}
        assert list(self.store.scan(start, end)) == sorted(inside.items())

    @rule(wanted=st.lists(keys, unique=True))
    def get_settled(self, wanted: list[bytes]) -> None:
        found = self.store.settled(wanted)
        assert [_present(entry) for entry in found] == [self.settled.get(key) for key in wanted]

    @rule(how=st.sampled_from(ENDS), look=st.booleans())
    def end(self, how: str, look: bool) -> None:
        """One rule for all of these, so that puts and gets come as often as they; a look right after it, or later."""
        getattr(self, how)()
        if look:
            self.get(KEYS)

    def accept(self) -> None:
        self.state.accept()
        self.accepted = self.now

    def reject(self) -> None:
        self.state.reject()
        self.now = self.accepted

    def settle(self) -> None:
        self.state.settle()
        self.settled = self.accepted = self.now

    def reject_unsettled(self) -> None:
        self.state.reject_unsettled(self.state.stream_time_ms)
        self.now = self.accepted = self.settled

    def abort(self) -> None:
        self.state.abort()
        self.now = self.accepted = self.settled = self.committed

    def commit(self) -> None:
        self.settle()
        batch = self.state.changelog().get("s")
        if batch is not None:
            assert len(set(batch.keys)) == len(batch.keys)
            self.log += zip(batch.keys, batch.values, batch.timestamps, strict=True)
        self.state.commit({"s": len(self.log) - 1})
        self.committed = self.now

    def reopen(self) -> None:
        """A crash with the disk kept: what was committed is there, and nothing else."""
        self.state.close()
        self.state = TaskState([self.spec], self.open_backend(), self.cache_entries)
        assert self.state.position("s") == len(self.log) - 1
        self.now = self.accepted = self.settled = self.committed

    @rule(tail=st.integers(0, 5))
    def restore_elsewhere(self, tail: int) -> None:
        """Another machine gets the same rows from the changelog, read in two parts."""
        other = TaskState([self.spec], MemoryBackend(["s"]))
        cut = max(0, len(self.log) - tail)
        for part, end in ((self.log[:cut], cut), (self.log[cut:], len(self.log))):
            if part:
                restored, values, timestamps = zip(*part, strict=True)
                other.restore("s", restored, values, timestamps, end - 1)
        assert dict(other.stores["s"].scan()) == self.committed
        assert other.position("s") == len(self.log) - 1

    @invariant()
    def changed_since_settle_leads_from_settled_to_now(self) -> None:
        assert _applied(self.settled, self.store.changed()) == self.now

    @invariant()
    def uncommitted_leads_from_committed_to_now(self) -> None:
        assert _applied(self.committed, self.store.uncommitted()) == self.now


class TransactionsInMemory(Transactions):
    def __init__(self) -> None:
        super().__init__()
        self.backend = MemoryBackend(["s"])

    def open_backend(self) -> BytesBackend:
        return self.backend


class TransactionsOnRocksDb(Transactions):
    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()

    def open_backend(self) -> BytesBackend:
        return RocksBackend(Path(self.folder.name) / "task", ["s"])

    def teardown(self) -> None:
        if hasattr(self, "state"):
            self.state.close()
        self.folder.cleanup()


def _present(entry: Any) -> Any:
    return None if entry is None or entry[0] is None else entry


def _applied(rows: Rows, changes: dict[bytes, Any]) -> Rows:
    return {key: entry for key, entry in {**rows, **changes}.items() if entry[0] is not None}


TestTransactionsInMemory = TransactionsInMemory.TestCase
TestTransactionsInMemory.settings = settings(max_examples=4 * settings.default.max_examples, stateful_step_count=40)
TestTransactionsOnRocksDb = TransactionsOnRocksDb.TestCase
TestTransactionsOnRocksDb.settings = settings(max_examples=settings.default.max_examples // 2, stateful_step_count=30)
