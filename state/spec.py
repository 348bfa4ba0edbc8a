"""A store as data."""

from dataclasses import dataclass
from typing import Any

from serde import Serde


@dataclass(frozen=True)
class StoreSpec:
    """A key-value store: its name within the app, the formats of its keys and values, and how long it keeps them.

    Attributes:
        has_clock: it remembers a stream time; its keys are never empty, as that one is the clock's in the changelog.
        is_bucketed: it keeps several rows per key, in segments of `segment_ms`, see `buckets.py`; needs a clock.
        holds_sessions: it keeps the sessions of keys, see `sessions.py`; needs a clock.
        is_queue: it is taken from its head, and its clock says how far: what is of a time before it is not seen any
            more, nor written. Needs a clock, and a retention of 0, by which it leaves the disk.
        is_ordered: uncommitted keys are kept sorted, so that scans do not sort them each time.
        retention_ms: entries are forgotten when their time, the first 8 bytes of their key (see `keys.py`), is so much
            older than the store's clock; None: they stay until they are deleted.
        segment_ms: what is too old is forgotten in steps of so much.
    """

    name: str
    key_serde: Serde[Any]
    value_serde: Serde[Any]
    has_clock: bool = False
    is_bucketed: bool = False
    holds_sessions: bool = False
    is_queue: bool = False
    is_ordered: bool = False
    retention_ms: int | None = None
    segment_ms: int = 60_000

    @property
    def forgets(self) -> bool:
        """True if entries leave it by time, without a deletion of each."""
        return self.has_clock and self.retention_ms is not None

    def oldest_kept_ms(self, clock_ms: int) -> int:
        """The time before which nothing is kept, given the store's clock (ms)."""
        if self.retention_ms is None:
            return 0
        oldest = clock_ms - self.retention_ms
        return max(0, oldest - oldest % self.segment_ms)

    def oldest_written_ms(self, clock_ms: int) -> int:
        """The time before which nothing is written any more, given the store's clock (ms)."""
        return max(0, clock_ms) if self.is_queue else self.oldest_kept_ms(clock_ms)
