"""A store as a test looks into it: decoded keys and values, all partitions as one."""

from collections.abc import Iterator, Sequence
from typing import Any

from state import KeyValueStore


class StoreView:
    """Reads like a dict; sees the open transaction."""

    def __init__(self, parts: Sequence[KeyValueStore[Any]]) -> None:
        self._parts = parts
        self._key_serde = parts[0].spec.key_serde

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, else the default."""
        encoded = self._key_serde.serialize(key)
        for part in self._parts:
            entry = part.get(encoded)
            if entry is not None and entry[0] is not None:
                return entry[0]
        return default

    def items(self) -> list[tuple[Any, Any]]:
        """Keys and values, partition by partition in the order of the keys' bytes."""
        return [(self._key_serde.deserialize(key), entry[0]) for part in self._parts for key, entry in part.scan()]

    def timestamp(self, key: Any) -> int:
        """The timestamp of a key's value (ms). Raises KeyError."""
        encoded = self._key_serde.serialize(key)
        for part in self._parts:
            entry = part.get(encoded)
            if entry is not None and entry[0] is not None:
                return int(entry[1])
        raise KeyError(key)

    def __getitem__(self, key: Any) -> Any:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: Any) -> bool:
        return self.get(key) is not None

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self.items()])

    def __len__(self) -> int:
        return len(self.items())

    def __repr__(self) -> str:
        return f"StoreView({dict(self.items())!r})"
