"""Laws of the bytes below the stores: memory and RocksDB keep the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state import BytesBackend, MemoryBackend
from state.rocksdb import RocksBackend

Reopen = Callable[[], BytesBackend]
STORES = ["a", "b"]


@contextmanager
def memory() -> Iterator[Reopen]:
    backend = MemoryBackend(STORES)
    yield lambda: backend


@contextmanager
def rocksdb() -> Iterator[Reopen]:
    opened: list[RocksBackend] = []
    with TemporaryDirectory() as folder:

        def reopen() -> RocksBackend:
            if opened:
                opened.pop().close()
            opened.append(RocksBackend(Path(folder) / "task", STORES))
            return opened[0]

        yield reopen
        for backend in opened:
            backend.close()


every_backend = pytest.mark.parametrize("kind", [memory, rocksdb])

keys = st.binary(max_size=3)
changes = st.dictionaries(st.sampled_from(STORES), st.dictionaries(keys, st.none() | st.binary(max_size=3), max_size=8))
bounds = st.none() | keys


@every_backend
@settings(max_examples=settings.default.max_examples // 2)
@given(batches=st.lists(changes, max_size=4), start=bounds, end=bounds, wanted=st.lists(keys, max_size=6))
def test_backend_answers_like_dicts(kind, batches, start, end, wanted) -> None:
    model: dict[str, dict[bytes, bytes]] = {name: {} for name in STORES}
    with kind() as reopen:
        backend = reopen()
        for i, batch in enumerate(batches):
            backend.write(batch, {b"batches": b"%d" % i})
            for name, changed in batch.items():
                model[name] |= {key: value for key, value in changed.items() if value is not None}
                for key in [key for key, value in changed.items() if value is None]:
                    model[name].pop(key, None)
        for _ in range(2):
            for name, rows in model.items():
                inside = sorted(
                    row for row in rows.items() if (start is None or row[0] >= start) and (end is None or row[0] < end)
                )
                assert list(backend.get_many(name, wanted)) == [rows.get(key) for key in wanted]
                assert [backend.get(name, key) for key in wanted] == [rows.get(key) for key in wanted]
                assert list(backend.scan(name, start, end)) == inside
                assert list(backend.scan(name, start, end, reverse=True)) == inside[::-1]
            assert backend.metadata(b"batches") == (b"%d" % (len(batches) - 1) if batches else None)
            backend = reopen()


@every_backend
def test_metadata_not_written_is_none(kind) -> None:
    with kind() as reopen:
        assert reopen().metadata(b"unknown") is None


@every_backend
def test_clear_empties_one_store_leaves_the_others_and_writes_metadata(kind) -> None:
    with kind() as reopen:
        backend = reopen()
        backend.write({"a": {b"k": b"1"}, "b": {b"k": b"2"}}, {b"m": b"3"})
        backend.clear("a", {b"n": b"4"})
        assert (backend.get("a", b"k"), list(backend.scan("a"))) == (None, [])
        assert (backend.get("b", b"k"), backend.metadata(b"m"), backend.metadata(b"n")) == (b"2", b"3", b"4")


@every_backend
def test_scan_goes_on_while_the_store_is_written(kind) -> None:
    with kind() as reopen:
        backend = reopen()
        backend.write({"a": {b"1": b"x", b"2": b"y"}}, {})
        rows = backend.scan("a")
        first = next(rows)
        backend.write({"a": {b"3": b"z"}}, {})
        assert [first, *rows][:2] == [(b"1", b"x"), (b"2", b"y")]


@every_backend
def test_write_with_oldest_key_drops_what_is_before_it_and_adds_the_changes(kind) -> None:
    with kind() as reopen:
        backend = reopen()
        backend.write({"a": {b"1": b"x", b"2": b"y", b"3": b"z"}, "b": {b"1": b"x"}}, {})
        backend.write({"a": {b"4": b"w"}}, {}, {"a": b"2"})
        assert list(backend.scan("a")) == [(b"2", b"y"), (b"3", b"z"), (b"4", b"w")]
        assert backend.get("b", b"1") == b"x"
