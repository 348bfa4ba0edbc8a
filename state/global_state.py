"""Stores of global tables: whole topics, for look-ups; changed between chunks, with the place they are read up to.

There is no transaction and no changelog: the topic is the store's log, and a batch of its records and the offset after
them are written together, so a restart reads on from there.
"""

from collections.abc import Sequence
from typing import Any

from state.base import BytesBackend
from state.keyvalue import KeyValueStore
from state.spec import StoreSpec
from state.stamps import stamp_many


class GlobalState:
    """The stores by name, over a backend of their own."""

    def __init__(self, specs: Sequence[StoreSpec], backend: BytesBackend, cache_entries: int = 100_000) -> None:
        self._backend = backend
        self.stores: dict[str, KeyValueStore[Any]] = {
            spec.name: KeyValueStore(spec, backend, cache_entries) for spec in specs
        }

    def next_offset(self, store: str, partition: int) -> int | None:
        """Where the topic's partition is to be read on; None: from its beginning."""
        found = self._backend.metadata(_position(store, partition))
        return int(found) if found else None

    def apply(
        self,
        store: str,
        partition: int,
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        timestamps: Sequence[int],
        next_offset: int,
    ) -> None:
        """Take in records of one partition, in their order; null values delete, records without key are nothing."""
        rows = {key: value for key, value in zip(keys, stamp_many(values, timestamps), strict=True) if key is not None}
        self._backend.write({store: rows}, {_position(store, partition): b"%d" % next_offset})
        self.stores[store].forget(rows)

    def wipe(self, store: str, partitions: int) -> None:
        """Start a store from nothing, where its offsets no longer mean anything."""
        self._backend.clear(store, {_position(store, partition): b"" for partition in range(partitions)})
        self.stores[store].abort()

    def close(self) -> None:
        """Release the files."""
        self._backend.close()


def _position(store: str, partition: int) -> bytes:
    return b"global:%d:%b" % (partition, store.encode())
