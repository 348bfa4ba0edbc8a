"""Steps that let some records of a stream pass and drop the rest: `deduplicate` and `limit_rate`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from framework.plan.nodes import Function, Node
from framework.plan.topics import serde_for
from framework.plan.types import TypeRef
from serde import Serde
from serde.base import GuardedSerde
from state import StoreSpec
from state.keys import TIME_WIDTH, time_bytes, time_of

_SHORTEST_SEGMENT_MS = 1_000


class Since(NamedTuple):
    """A key of such a step's store: what is remembered, and the start of the interval (ms) that it belongs to."""

    start: int
    key: Any

    def __str__(self) -> str:
        return f"{self.key}@{self.start}"


@dataclass(frozen=True)
class SinceSerde(GuardedSerde[Since]):
    """The time (8 bytes), then a mark (0: no key follows, 1: the key does), then the key."""

    inner: Serde[Any]

    @property
    def name(self) -> str:
        return f"since[{self.inner.name}]"

    def _encode_all(self, values: Sequence[Since]) -> list[bytes]:
        keys = self.inner.serialize_many([value.key for value in values])
        return [since_bytes(value.start, key) for key, value in zip(keys, values, strict=True)]

    def _decode_all(self, data: Sequence[bytes]) -> list[Since]:
        keys = self.inner.deserialize_many([item[TIME_WIDTH + 1 :] if item[TIME_WIDTH] else None for item in data])
        return [Since(time_of(item), key) for key, item in zip(keys, data, strict=True)]


def since_bytes(start_ms: int, key: bytes | None) -> bytes:
    """The key of the store for an interval (its start in ms) and what is remembered, encoded."""
    return time_bytes(start_ms) + (b"\0" if key is None else b"\1" + key)


@dataclass(frozen=True, eq=False, kw_only=True)
class DeduplicateNode(Node):
    """Lets the first record of an id pass; `function` None: the key is the id. Ids are kept by the time they passed."""

    function: Function | None
    id: TypeRef
    within_ms: int

    def store_specs(self) -> tuple[StoreSpec, ...]:
        return (
            StoreSpec(
                self.name,
                SinceSerde(serde_for(self.id.known)),
                serde_for(bytes),
                has_clock=True,
                # Reason: a record out of order by almost `within` may repeat one that passed `within` before it.
                retention_ms=2 * self.within_ms,
                segment_ms=self.within_ms,
            ),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LimitNode(Node):
    """Lets n records of each key and period of event time pass; the store counts those that did."""

    limit: int
    period_ms: int
    grace_ms: int

    def store_specs(self) -> tuple[StoreSpec, ...]:
        known = self.key.known
        return (
            StoreSpec(
                self.name,
                SinceSerde(serde_for(str if known in (None, type(None)) else known)),
                serde_for(int),
                has_clock=True,
                retention_ms=self.period_ms + self.grace_ms,
                segment_ms=max(self.period_ms, _SHORTEST_SEGMENT_MS),
            ),
        )
