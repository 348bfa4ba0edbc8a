"""The vocabulary: topic-partitions, task ids, records. Imports nothing of ours."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Header = tuple[str, bytes | None]
Headers = list[Header]


class TopicPartition(NamedTuple):
    """A topic and one of its partitions; the pair travels together."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class TaskId(NamedTuple):
    """One sub-topology on one partition, printed as `0_3`."""

    sub_topology: int
    partition: int

    def __str__(self) -> str:
        return f"{self.sub_topology}_{self.partition}"


@dataclass(frozen=True, slots=True)
class Record:
    """One record as a reader meets it: decoded key and value, timestamp in ms since the epoch."""

    topic: str
    partition: int
    offset: int
    key: Any
    value: Any
    timestamp_ms: int
    headers: Headers = field(default_factory=list)

    @property
    def timestamp(self) -> int:
        """`timestamp_ms`, by the name that it has in a `Context`."""
        return self.timestamp_ms

    @property
    def is_tombstone(self) -> bool:
        return self.value is None


@dataclass(slots=True)
class Records:
    """Undecoded records of one topic-partition as parallel lists, offsets ascending; what a task takes in."""

    keys: list[bytes | None]
    values: list[bytes | None]
    timestamps: list[int]
    offsets: Sequence[int]  # a range, where none is missing
    headers: list[Headers | None] | None = None  # None: no record has any

    def __len__(self) -> int:
        return len(self.offsets)

    def joined(self, other: "Records") -> "Records":
        """These records, then the others."""
        if not len(self):
            return other
        headers = None
        if self.headers is not None or other.headers is not None:
            headers = (self.headers or [None] * len(self)) + (other.headers or [None] * len(other))
        return Records(
            self.keys + other.keys,
            self.values + other.values,
            self.timestamps + other.timestamps,
            [*self.offsets, *other.offsets],
            headers,
        )

    def slice(self, start: int, stop: int) -> "Records":
        return Records(
            self.keys[start:stop],
            self.values[start:stop],
            self.timestamps[start:stop],
            self.offsets[start:stop],
            None if self.headers is None else self.headers[start:stop],
        )
