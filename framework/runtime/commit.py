"""When to commit: the input is drained, the interval has passed, or the transaction has grown to its limit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CommitPolicy:
    """`interval_ms` between two commits at most; `max_keys` changed keys per transaction, about."""

    interval_ms: int
    max_keys: int

    def is_due(self, *, now_ms: float, last_ms: float, changed_keys: int) -> bool:
        return now_ms - last_ms >= self.interval_ms or changed_keys >= self.max_keys
