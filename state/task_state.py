"""All stores of one task over one backend, with the changelog position and the stream time beside the data.

A commit writes the changed keys of all stores, the position of each store's changelog and the stream time in one batch,
after the transaction in Kafka. A crash between the two leaves the store behind by one transaction: its position says
from where the changelog is to be replayed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from state.base import BytesBackend
from state.keyvalue import KeyValueStore
from state.spec import StoreSpec
from state.stamps import stamp_many

_POSITION = b"position:"
_STREAM_TIME = b"stream-time"


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
            spec.name: KeyValueStore(spec, backend, cache_entries) for spec in specs
        }
        self._positions = {name: self._number(_POSITION + name.encode()) for name in self.stores}
        self._committed_stream_time_ms = self._number(_STREAM_TIME)
        self.stream_time_ms = self._accepted_stream_time_ms = self._committed_stream_time_ms
        self._batches: dict[str, ChangelogBatch] = {}

    def _number(self, key: bytes) -> int:
        stored = self._backend.metadata(key)
        return int(stored) if stored is not None else -1

    @property
    def uncommitted_count(self) -> int:
        """Keys changed by the open transaction."""
        return sum(store.uncommitted_count for store in self.stores.values())

    def position(self, store: str) -> int:
        """Offset of the last changelog record that the store holds; -1 if none."""
        return self._positions[store]

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

    def reject_unsettled(self) -> None:
        """Undo the changes since the last `settle`."""
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
            SerdeError: a value is not of its store's type.
        """
        self._batches = {}
        for name, store in self.stores.items():
            changed = store.uncommitted()
            if changed:
                values = store.spec.value_serde.serialize_many([value for value, _ in changed.values()])
                timestamps = [timestamp for _, timestamp in changed.values()]
                self._batches[name] = ChangelogBatch(list(changed), values, timestamps)
        return self._batches

    def commit(self, positions: Mapping[str, int]) -> None:
        """Write what `changelog` gave, now that the transaction is committed.

        Args:
            positions: by store, the offset of the last changelog record of the transaction.
        Raises:
            StateWriteFailed: nothing was written; the changelog has it, and the next start replays it.
        """
        changes = {
            name: dict(zip(batch.keys, stamp_many(batch.values, batch.timestamps), strict=True))
            for name, batch in self._batches.items()
        }
        if changes or self.stream_time_ms != self._committed_stream_time_ms:
            self._backend.write(changes, {**_position_metadata(positions), _STREAM_TIME: b"%d" % self.stream_time_ms})
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
        self._backend.write({store: rows}, metadata)
        self._positions[store] = position
        self.stores[store].abort()

    def wipe(self, store: str) -> None:
        """Start a store from nothing, where its position no longer means anything."""
        self._backend.clear(store)
        self._backend.write({}, _position_metadata({store: -1}))
        self._positions[store] = -1
        self.stores[store].abort()

    def close(self) -> None:
        """Release the files; what is not committed is gone."""
        self._backend.close()


def _position_metadata(positions: Mapping[str, int]) -> dict[bytes, bytes]:
    return {_POSITION + store.encode(): b"%d" % position for store, position in positions.items()}
