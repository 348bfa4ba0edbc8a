"""The reference backend: sorted dicts in memory, gone with the process."""

from collections.abc import Iterator, Mapping, Sequence

from sortedcontainers import SortedDict


class MemoryBackend:
    """A `BytesBackend` without files; used by the test driver, and the judge of the other one."""

    def __init__(self, stores: Sequence[str]) -> None:
        self._stores: dict[str, SortedDict[bytes, bytes]] = {name: SortedDict() for name in stores}
        self._metadata: dict[bytes, bytes] = {}

    def add(self, stores: Sequence[str]) -> None:
        """Make the stores that are not there yet."""
        for name in stores:
            self._stores.setdefault(name, SortedDict())

    def get(self, store: str, key: bytes) -> bytes | None:
        return self._stores[store].get(key)

    def get_many(self, store: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        return list(map(self._stores[store].get, keys))

    def scan(
        self, store: str, start: bytes | None = None, end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        rows = self._stores[store]
        for key in list(rows.irange(start, end, inclusive=(True, False), reverse=reverse)):
            yield key, rows[key]

    def write(
        self,
        changes: Mapping[str, Mapping[bytes, bytes | None]],
        metadata: Mapping[bytes, bytes],
        oldest: Mapping[str, bytes] | None = None,
    ) -> None:
        for name, bound in (oldest or {}).items():
            rows = self._stores[name]
            for key in list(rows.irange(None, bound, inclusive=(True, False))):
                del rows[key]
        for name, changed in changes.items():
            rows = self._stores[name]
            for key, value in changed.items():
                if value is None:
                    rows.pop(key, None)
                else:
                    rows[key] = value
        self._metadata.update(metadata)

    def metadata(self, key: bytes) -> bytes | None:
        return self._metadata.get(key)

    def clear(self, store: str, metadata: Mapping[bytes, bytes]) -> None:
        self._stores[store].clear()
        self._metadata.update(metadata)

    def close(self) -> None:
        """Nothing to release."""
