"""Windows as data, and the nodes of windowed aggregations. All times are in ms.

`is_grace_stated`: the user said how long a window waits for what is out of order, if only that it does not.

A window of fixed size is `[start, end)` and closed when `end + grace <= stream time`; sliding windows and sessions
include their last millisecond, so theirs are closed when `end + grace < stream time`, a session `gap` later.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, get_args, get_origin

from framework.plan.nodes import Aggregation, Changes, Emit, Node
from framework.plan.topics import serde_for
from framework.plan.types import UNKNOWN, TypeRef
from serde import Serde, TaggedSerde, Windowed
from state import StoreSpec
from state.windowed_keys import ArrivalKeySerde, DueKeySerde, SessionKeySerde, WindowKeySerde

LATE = 1
"""The output of records that came too late."""
_MIN_SEGMENT_MS = 60_000


@dataclass(frozen=True)
class TimeWindows:
    """Windows of one size that begin every `advance_ms`, counted from the epoch and `offset_ms`."""

    size_ms: int
    advance_ms: int
    offset_ms: int = 0
    grace_ms: int = 0
    is_grace_stated: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class UnlimitedWindows:
    """One window from the epoch on, which closes only when the input ends."""

    grace_ms: int = 0
    is_grace_stated: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class SlidingWindows:
    """For each record the window that ends at it, and the one that begins 1 ms after it where that holds records."""

    difference_ms: int
    grace_ms: int = 0
    is_grace_stated: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class SessionWindows:
    """Records of a key with no silence longer than the gap; the gap may be a function of the value, in ms."""

    gap_ms: int | Callable[[Any], int]
    grace_ms: int = 0
    max_length_ms: int | None = None
    is_grace_stated: bool = field(default=True, compare=False)


Windows = TimeWindows | UnlimitedWindows | SlidingWindows | SessionWindows


class WindowedRef(TypeRef):
    """`Windowed[K]` of a key's type that may become known later; what is learnt here, the key learns."""

    __slots__ = ("_inner",)

    def __init__(self, inner: TypeRef) -> None:
        super().__init__()
        self._inner = inner

    @property
    def known(self) -> object:
        inner = self._inner.known
        return Windowed[Any if inner is UNKNOWN else inner]  # type: ignore[misc]  # a type that is a value here

    def learn(self, known: object) -> None:
        if get_origin(known) is Windowed:
            self._inner.learn(get_args(known)[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowedNode(Node):
    """Keeps one value per key and window in the store `name`. Output `LATE` are the records that came too late.

    With several parents (a cogroup) the values that the aggregation adds are pairs (number of the parent, value).
    """

    windows: Windows
    aggregation: Aggregation
    emit: Emit = "changes"
    changes: Changes = "latest"

    @property
    def close_delay_ms(self) -> int | None:
        """How long after its end a window is closed; None: a session's own gap says it."""
        match self.windows:
            case UnlimitedWindows() | TimeWindows():
                return self.windows.grace_ms
            case SlidingWindows():
                return self.windows.grace_ms + 1
            case SessionWindows(gap_ms=int(gap)):
                return gap + self.windows.grace_ms + 1
            case _:
                return None

    @property
    def inner_key(self) -> Serde[Any]:
        """The serde of the key without its window."""
        return serde_for(self.parents[0].key.known)

    def store_specs(self) -> tuple[StoreSpec, ...]:
        value = self.aggregation.state_serde(self.value)
        # Reason: the whole table is to be shown for ever, so nothing of it may expire.
        expires = self.emit != "complete"
        match self.windows:
            case UnlimitedWindows():
                return (StoreSpec(self.name, WindowKeySerde(self.inner_key, None), value, has_clock=True),)
            case TimeWindows(size_ms=size, grace_ms=grace):
                key = WindowKeySerde(self.inner_key, size)
                return (StoreSpec(self.name, key, value, has_clock=True, retention_ms=grace if expires else None),)
            case SlidingWindows(difference_ms=difference, grace_ms=grace):
                key = WindowKeySerde(self.inner_key, difference)
                windows = StoreSpec(self.name, key, value, has_clock=True, retention_ms=grace if expires else None)
                return (windows, self._rows_spec(difference, grace))
            case SessionWindows():
                sessions = StoreSpec(
                    self.name, SessionKeySerde(self.inner_key), value, has_clock=True, holds_sessions=True
                )
                due = StoreSpec(
                    due_name(self.name),
                    DueKeySerde(self.inner_key),
                    serde_for(bytes),
                    has_clock=True,
                    is_queue=True,
                    is_ordered=True,
                    retention_ms=0,
                )
                return (sessions, due)

    def _rows_spec(self, difference_ms: int, grace_ms: int) -> StoreSpec:
        segment_ms = max(_MIN_SEGMENT_MS, 2 * difference_ms)
        return StoreSpec(
            rows_name(self.name),
            ArrivalKeySerde(self.inner_key, segment_ms),
            self._row_serde(),
            has_clock=True,
            is_bucketed=True,
            # Reason: the oldest window that is open begins so long ago, or 1 ms after a record before it.
            retention_ms=difference_ms + grace_ms + 1,
            segment_ms=segment_ms,
        )

    def _row_serde(self) -> Serde[Any]:
        if self.aggregation.kind == "count":
            return serde_for(bool)  # only that the record was there
        serdes = tuple(serde_for(parent.value.known) for parent in self.parents)
        return serdes[0] if len(serdes) == 1 else TaggedSerde(serdes)


def rows_name(step: str) -> str:
    """The store of a sliding window's records."""
    return f"{step}.records"


def due_name(step: str) -> str:
    """The store that knows when sessions may close."""
    return f"{step}.due"
