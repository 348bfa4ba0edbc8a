"""The bytes below the stores of one task."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol


class BytesBackend(Protocol):
    """Committed bytes of all stores of one task, and some metadata, changed together or not at all."""

    def get(self, store: str, key: bytes) -> bytes | None:
        """The bytes of a key."""

    def get_many(self, store: str, keys: Sequence[bytes]) -> Sequence[bytes | None]:
        """The bytes of each key, in their order."""

    def scan(
        self, store: str, start: bytes | None = None, end: bytes | None = None, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of [start, end) in the order of the keys' bytes."""

    def write(
        self,
        changes: Mapping[str, Mapping[bytes, bytes | None]],
        metadata: Mapping[bytes, bytes],
        oldest: Mapping[str, bytes] | None = None,
    ) -> None:
        """One atomic batch over all stores; a kill of the process leaves all of it or nothing.

        Args:
            changes: new bytes by store and key; None deletes.
            metadata: likewise.
            oldest: by store, the key before which everything is deleted; `changes` hold no such key.
        """

    def metadata(self, key: bytes) -> bytes | None:
        """A piece of metadata."""

    def clear(self, store: str, metadata: Mapping[bytes, bytes]) -> None:
        """Empty one store and write the metadata, in one atomic batch."""

    def close(self) -> None:
        """Release the files."""
