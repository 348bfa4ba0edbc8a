"""Joins of two streams: what they keep.

Each side is buffered by key and time for as long as a record of the other side may come that matches it (before +
after + grace). Where a side is outer, an index in the order of time holds its rows that nothing has matched so far.
"""

from dataclasses import dataclass
from typing import Any, Literal

from framework.plan.nodes import Function, Node
from framework.plan.topics import serde_for
from serde import Serde
from state import StoreSpec
from state.unmatched import UnmatchedKeySerde

JoinKind = Literal["inner", "left", "outer", "semi"]
Late = Literal["join", "drop"]
LATE_LEFT, LATE_RIGHT = 1, 2
"""The outputs of records that came too late, by side."""
_SHORTEST_SEGMENT_MS = 1_000


@dataclass(frozen=True)
class JoinWindow:
    """Which right records match a left one: time in [left - before, left + after]; and for how long one waits more."""

    before_ms: int
    after_ms: int
    grace_ms: int

    @property
    def retention_ms(self) -> int:
        """How long after its time (ms) a record may still be matched by one that comes in time."""
        return self.before_ms + self.after_ms + self.grace_ms

    @property
    def segment_ms(self) -> int:
        """The length of the buckets: any look-up touches at most two."""
        return max(self.before_ms + self.after_ms, _SHORTEST_SEGMENT_MS)


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamJoinNode(Node):
    """Joins the left parent's records with the right one's; `function` is None for a semi-join.

    Outputs `LATE_LEFT` and `LATE_RIGHT` are the records that it drops as late.
    """

    kind: JoinKind
    window: JoinWindow
    late: Late
    function: Function | None

    @property
    def left_store(self) -> str:
        return f"{self.name}-left"

    @property
    def right_store(self) -> str:
        return f"{self.name}-right"

    @property
    def unmatched_store(self) -> str:
        return f"{self.name}-unmatched"

    def store_specs(self) -> tuple[StoreSpec, ...]:
        left, right = self.parents
        rights = serde_for(bytes) if self.kind == "semi" else serde_for(right.value.known)
        specs = (
            self._side_spec(self.left_store, serde_for(left.value.known)),
            self._side_spec(self.right_store, rights),
        )
        if self.kind in ("inner", "semi"):
            return specs
        key_serde = UnmatchedKeySerde(serde_for(self.key.known), self.window.after_ms, self.window.before_ms)
        unmatched = StoreSpec(self.unmatched_store, key_serde, serde_for(bytes), has_clock=True, is_ordered=True)
        return (*specs, unmatched)

    def _side_spec(self, name: str, value_serde: Serde[Any]) -> StoreSpec:
        # Cost: it loads the stores, which most declarations do without.
        from state.buckets import RowKeySerde

        segment_ms = self.window.segment_ms
        return StoreSpec(
            name,
            RowKeySerde(serde_for(self.key.known), segment_ms),
            value_serde,
            has_clock=True,
            is_bucketed=True,
            retention_ms=self.window.retention_ms,
            segment_ms=segment_ms,
        )
