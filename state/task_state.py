"""All stores of one task over one backend, with the changelog position and the stream time beside the data.

A commit writes the changed keys of all stores, the position of each store's changelog and the stream time in one batch,
after the transaction in Kafka. A crash between the two leaves the store behind by one transaction: its position says
from where the changelog is to be replayed.

A store's clock travels in its changelog under the empty key, so that a restore elsewhere knows what was late. What is
older than the store keeps it is dropped at the commit in one range, and neither written to the changelog any more; up
to where the changelog of such a store is dead is kept with it, see `log_bound.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serde import SerdeError
from state.base import BytesBackend
from state.buckets import BucketStore
from state.errors import ValueNotStorable
from state.keys import time_bytes
from state.keyvalue import KeyValueStore
from state.log_bound import LogBound
from state.sessions import SessionStore
from state.spec import StoreSpec
from state.stamps import stamp_many

_POSITION = b"position:"
_STREAM_TIME = b"stream-time"
_CLOCK = b"clock:"
_LOG_BOUND = b"log-bound:"
CLOCK_KEY = b""
"""Of the changelog record that holds a store's clock."""


@dataclass(frozen=True, slots=True)
class ChangelogBatch:
    """What a transaction changed in one store, as parallel lists: one record per key; a None value deletes."""

    keys: list[bytes]
    values: list[bytes | None]
    timestamps: list[int]


class TaskState:
    """The stores of a task by name. `stream_time_ms` is -1 before the first record."""

    def __init__(self, specs: Sequence[StoreSpec], backend: BytesBackend, cache_entries: int = 100_000) -> None:
        self._backend = backend
        self.stores: dict[str, KeyValueStore[Any]] = {
            spec.name: _store_class(spec)(spec, backend, cache_entries) for spec in specs
        }
        self._positions = {name: self._number(_POSITION + name.encode()) for name in self.stores}
        for name, store in self.stores.items():
            if store.spec.has_clock:
                store.start_clock(self._number(_CLOCK + name.encode()))
        self._committed_stream_time_ms = self._number(_STREAM_TIME)
        self.stream_time_ms = self._accepted_stream_time_ms = self._committed_stream_time_ms
        self._batches: dict[str, ChangelogBatch] = {}
        self._dropped_to_ms: dict[str, int] = {}
        self._log_bounds = {n: self._load_bound(store.spec) for n, store in self.stores.items() if store.spec.forgets}

    def _load_bound(self, spec: StoreSpec) -> LogBound:
        newest_key = next((key for key, _ in self._backend.scan(spec.name, reverse=True)), None)
        stored = self._backend.metadata(_LOG_BOUND + spec.name.encode())
        return LogBound.load(stored, spec.segment_ms, self._positions[spec.name], newest_key)

    def _number(self, key: bytes) -> int:
        stored = self._backend.metadata(key)
        return int(stored) if stored is not None else -1

    @property
    def is_changed(self) -> bool:
        """True if the open transaction changed a store or its clock."""
        return any(store.uncommitted_count or store.has_clock_moved for store in self.stores.values())

    @property
    def uncommitted_count(self) -> int:
        """Keys changed by the open transaction."""
        return sum(store.uncommitted_count for store in self.stores.values())

    def position(self, store: str) -> int:
        """Offset of the last record of its log, mostly a changelog, that the store holds; -1 if none."""
        return self._positions[store]

    def dead_before(self, store: str) -> int:
        """The offset before which the store's changelog holds nothing that a restore needs; 0 where all is needed."""
        return self._log_bounds[store].offset if store in self._log_bounds else 0

    def accept(self) -> None:
        """Keep the changes of the chunk."""
        self._accepted_stream_time_ms = self.stream_time_ms
        for store in self.stores.values():
            store.accept()

    def reject(self) -> None:
        """Undo the changes of the chunk."""
        self.stream_time_ms = self._accepted_stream_time_ms
        for store in self.stores.values():
            store.reject()

    def reject_unsettled(self, stream_time_ms: int) -> None:
        """Undo the changes since the last `settle`, when the stream time was this."""
        self.stream_time_ms = self._accepted_stream_time_ms = stream_time_ms
        for store in self.stores.values():
            store.reject_unsettled()

    def settle(self) -> None:
        """The changes so far were sent downstream by all steps."""
        for store in self.stores.values():
            store.settle()

    def abort(self) -> None:
        """Forget the open transaction."""
        self.stream_time_ms = self._accepted_stream_time_ms = self._committed_stream_time_ms
        self._batches = {}
        for store in self.stores.values():
            store.abort()

    def changelog(self) -> dict[str, ChangelogBatch]:
        """What the open transaction changed, by store; stores without changes are left out.

        Raises:
            ValueNotStorable: a value is not of its store's type.
        """
        self._batches = {}
        for name, store in self.stores.items():
            changed = store.uncommitted()
            if oldest_ms := store.spec.oldest_written_ms(store.clock_ms):
                oldest = time_bytes(oldest_ms)
                changed = {key: entry for key, entry in changed.items() if key >= oldest}
            if not changed and not store.has_clock_moved:
                continue
            values = _serialized(store, changed)
            batch = ChangelogBatch(list(changed), values, [timestamp for _, timestamp in changed.values()])
            if store.has_clock_moved:
                batch.keys.append(CLOCK_KEY)
                batch.values.append(b"%d" % store.clock_ms)
                batch.timestamps.append(max(0, store.clock_ms))
            self._batches[name] = batch
        return self._batches

    def check_unsettled(self) -> None:
        """See that the changes since the last `settle` can be written.

        Raises:
            ValueNotStorable: a value is not of its store's type.
        """
        for store in self.stores.values():
            _serialized(store, store.changed())

    def commit(self, positions: Mapping[str, int]) -> None:
        """Write what `changelog` gave, now that the transaction is committed.

        Args:
            positions: by store, the offset of the last record of the transaction in the store's log; none without logs.
        Raises:
            StateWriteFailed: nothing was written; the changelog has it, and the next start replays it.
        """
        changes = {
            name: dict(zip(batch.keys, stamp_many(batch.values, batch.timestamps), strict=True))
            for name, batch in self._batches.items()
        }
        if changes or positions or self.stream_time_ms != self._committed_stream_time_ms:
            metadata = {**_position_metadata(positions), _STREAM_TIME: b"%d" % self.stream_time_ms}
            oldest: dict[str, bytes] = {}
            for name, rows in changes.items():
                has_moved = self.stores[name].spec.has_clock and rows.pop(CLOCK_KEY, None) is not None
                if has_moved:
                    self._drop_old(name, metadata, oldest)
                if name in positions:
                    self._move_bound(name, rows, positions[name], metadata, has_clock_moved=has_moved)
            self._backend.write(changes, metadata, oldest)
        self._positions.update(positions)
        self._committed_stream_time_ms = self._accepted_stream_time_ms = self.stream_time_ms
        self._batches = {}
        for store in self.stores.values():
            store.committed()

    def restore(
        self,
        store: str,
        keys: Sequence[bytes],
        values: Sequence[bytes | None],
        timestamps: Sequence[int],
        position: int,
    ) -> None:
        """Apply changelog records, in their order, up to and including the offset `position`."""
        rows = dict(zip(keys, stamp_many(values, timestamps), strict=True))
        newest = max(timestamps, default=-1)
        self.stream_time_ms = max(self.stream_time_ms, newest)
        self._accepted_stream_time_ms = self._committed_stream_time_ms = self.stream_time_ms
        metadata = {**_position_metadata({store: position}), _STREAM_TIME: b"%d" % self.stream_time_ms}
        oldest: dict[str, bytes] = {}
        has_moved = self.stores[store].spec.has_clock and rows.pop(CLOCK_KEY, None) is not None
        if has_moved:
            clocks = [int(value) for key, value in zip(keys, values, strict=True) if key == CLOCK_KEY and value]
            self.stores[store].start_clock(clocks[-1])
            self._drop_old(store, metadata, oldest)
        if store in self._dropped_to_ms:
            bound = time_bytes(self._dropped_to_ms[store])
            rows = {key: row for key, row in rows.items() if key >= bound}
        self._move_bound(store, rows, position, metadata, has_clock_moved=has_moved)
        self._backend.write({store: rows}, metadata, oldest)
        self._positions[store] = position
        self.stores[store].abort()

    def _drop_old(self, name: str, metadata: dict[bytes, bytes], oldest: dict[str, bytes]) -> None:
        """Add a store's clock to the metadata, and the key before which it forgets everything, where that has moved."""
        store = self.stores[name]
        metadata[_CLOCK + name.encode()] = b"%d" % store.clock_ms
        oldest_ms = store.spec.oldest_kept_ms(store.clock_ms)
        if oldest_ms > self._dropped_to_ms.get(name, 0):
            self._dropped_to_ms[name] = oldest_ms
            oldest[name] = time_bytes(oldest_ms)

    def _move_bound(
        self,
        name: str,
        rows: Mapping[bytes, Any],
        position: int,
        metadata: dict[bytes, bytes],
        *,
        has_clock_moved: bool,
    ) -> None:
        """Note what changelog records up to this position mean for the dead part of the log, also in the metadata."""
        bound = self._log_bounds.get(name)
        if bound is None:
            return
        first_offset = self._positions[name] + 1
        if rows:
            bound.wrote(max(rows), first_offset)
        if has_clock_moved:
            bound.moved_clock(first_offset, self._dropped_to_ms.get(name, 0))
        metadata[_LOG_BOUND + name.encode()] = bound.dump(position)

    def wipe(self, store: str) -> None:
        """Start a store from nothing, where its position no longer means anything."""
        self._backend.clear(store, {**_position_metadata({store: -1}), _CLOCK + store.encode(): b"-1"})
        self.stores[store].start_clock(-1)
        self._dropped_to_ms.pop(store, None)
        self._positions[store] = -1
        if store in self._log_bounds:
            self._log_bounds[store] = LogBound(self.stores[store].spec.segment_ms)
        self.stores[store].abort()

    def close(self) -> None:
        """Release the files; what is not committed is gone."""
        self._backend.close()


def _store_class(spec: StoreSpec) -> type[KeyValueStore[Any]]:
    if spec.holds_sessions:
        return SessionStore
    return BucketStore if spec.is_bucketed else KeyValueStore


def _serialized(store: KeyValueStore[Any], changed: Mapping[bytes, Any]) -> list[bytes | None]:
    try:
        return store.spec.value_serde.serialize_many([value for value, _ in changed.values()])
    except SerdeError as error:
        raise ValueNotStorable(store.name) from error


def _position_metadata(positions: Mapping[str, int]) -> dict[bytes, bytes]:
    return {_POSITION + store.encode(): b"%d" % position for store, position in positions.items()}
