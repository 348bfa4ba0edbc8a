"""The backend on disk: one RocksDB per task, a column family per store. The only file that knows the binding.

No fsync: what the machine loses with its power is in the changelog. The write-ahead log stays on, so that a kill of the
process tears no batch.

All databases of a process share one block cache, which also holds the indexes and filters of their files, and one
budget for what is not in files yet; so the memory they take together does not grow with the tasks and stores.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, cast

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
    WriteBufferManager,
)

from state.errors import StateError, StateUnreadable, StateWriteFailed

_WRITE_BUFFER_BYTES = 16 << 20
_WRITE_FILTER_SHARE = 0.015  # of a write buffer: 250 kB, which know the 200,000 keys of a full one
_WRITE_BUFFERS_BYTES = 48 << 20  # of all stores of the process
_BLOCK_CACHE_BYTES = 48 << 20  # of all stores of the process
_MAX_LOG_BYTES = 1 << 20
Rows = Iterator[tuple[bytes, bytes]]


class RocksBackend:
    """A `BytesBackend` in the folder `path`. Stores of it that are no longer declared are kept.

    Raises:
        StateUnreadable: the files are damaged or cannot be opened.
    """

    def __init__(self, path: Path, stores: Sequence[str]) -> None:
        self._path = path
        options = _options()
        try:
            existing = Rdict.list_cf(str(path), options) if (path / "CURRENT").exists() else []
            names = dict.fromkeys((*stores, *existing))
            families = {name: _store_options() for name in names if name != "default"}
            path.mkdir(parents=True, exist_ok=True)
            self._db = Rdict(str(path), options=options, column_families=families)
            self._families = {name: self._db.get_column_family(name) for name in families}
            self._handles = {name: self._db.get_column_family_handle(name) for name in families}
        except Exception as error:
            raise StateUnreadable(
                f"cannot open the store in {path}: {error}. If its files are damaged, remove that folder: "
                "the store comes back from its changelog."
            ) from error

    def get(self, store: str, key: bytes) -> bytes | None:
        return self.get_many(store, [key])[0]

    def get_many(self, store: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        try:
            found: Any = self._families[store].get(list(keys))
        except Exception as error:
            self._unreadable(error)
        return cast(Sequence[bytes | None], found)

    def scan(
        self, store: str, start: bytes | None = None, end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        bounds = ReadOptions()
        if end is not None:
            bounds.set_iterate_upper_bound(end)
        first = start or b""
        if end is not None and end <= first:
            return
        # Trap: the binding's lower bound acts as an upper one, so the scan seeks its first key or stops below it.
        try:
            if not reverse:
                yield from cast(Rows, self._families[store].items(from_key=first, read_opt=bounds))
                return
            for key, value in cast(Rows, self._families[store].items(backwards=True, read_opt=bounds)):
                if key < first:
                    return
                yield key, value
        except StateError:
            raise
        except Exception as error:
            self._unreadable(error)

    def write(
        self,
        changes: Mapping[str, Mapping[bytes, bytes | None]],
        metadata: Mapping[bytes, bytes],
        oldest: Mapping[str, bytes] | None = None,
    ) -> None:
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for store, bound in (oldest or {}).items():
            batch.delete_range(b"", bound, self._handles[store])
        for store, changed in changes.items():
            handle = self._handles[store]
            # Cost: a table in memory takes keys in their order in half the time, which sorting does not eat up.
            for key in sorted(changed):
                value = changed[key]
                if value is None:
                    delete(key, handle)
                else:
                    put(key, value, handle)
        self._write(batch, metadata)

    def _write(self, batch: WriteBatch, metadata: Mapping[bytes, bytes]) -> None:
        for key, value in metadata.items():
            batch.put(key, value)
        try:
            self._db.write(batch)
        except Exception as error:
            raise StateWriteFailed(
                f"cannot write the store in {self._path}: {error}. Nothing is lost: the changelog holds what was "
                "committed. Make room on that disk or move state_dir, then start again."
            ) from error

    def metadata(self, key: bytes) -> bytes | None:
        try:
            found: bytes | None = self._db.get(key)
        except Exception as error:
            self._unreadable(error)
        return found

    def clear(self, store: str, metadata: Mapping[bytes, bytes]) -> None:
        batch = WriteBatch(raw_mode=True)
        for last, _ in self.scan(store, reverse=True):
            batch.delete_range(b"", last + b"\0", self._handles[store])
            break
        self._write(batch, metadata)

    def close(self) -> None:
        self._handles, self._families = {}, {}
        # Reason: where a write has failed, so does the flush at the end; both are in the changelog.
        with suppress(Exception):
            self._db.close()

    def _unreadable(self, error: Exception) -> NoReturn:
        raise StateUnreadable(
            f"cannot read the store in {self._path}: {error}. If its files are damaged, remove that folder: "
            "the store comes back from its changelog."
        ) from error


@cache
def _shared_memory() -> tuple[Cache, WriteBufferManager]:
    """What all databases of this process share; made by the first, since a fork does not take its threads along."""
    # Reason: a writer over the budget makes the fullest buffer go to disk, but does not wait for it.
    return Cache(_BLOCK_CACHE_BYTES), WriteBufferManager(_WRITE_BUFFERS_BYTES, False)


def _options() -> Options:
    block_cache, write_buffers = _shared_memory()
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.create_missing_column_families(True)
    options.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    options.set_max_write_buffer_number(2)
    options.set_write_buffer_manager(write_buffers)
    options.set_compression_type(DBCompressionType.lz4())
    options.set_max_log_file_size(_MAX_LOG_BYTES)
    options.set_keep_log_file_num(2)
    options.set_max_total_wal_size(4 * _WRITE_BUFFER_BYTES)
    blocks = BlockBasedOptions()
    blocks.set_bloom_filter(10, block_based=False)
    blocks.set_block_cache(block_cache)
    # Reason: outside the cache they grow with the data.
    blocks.set_cache_index_and_filter_blocks(True)
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options.set_block_based_table_factory(blocks)
    return options


def _store_options() -> Options:
    """Of a store; what only the metadata need is in `_options`."""
    options = _options()
    # Cost: a key that is not in the buffer is known by the filter in a quarter of the time of a search.
    options.set_memtable_prefix_bloom_ratio(_WRITE_FILTER_SHARE)
    options.set_memtable_whole_key_filtering(True)
    return options
