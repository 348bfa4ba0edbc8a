"""`grouped.window(...)`: aggregations by key and window, and the tables they give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from framework.dsl import aggregations
from framework.dsl.grouped import GroupedStream, cogroup_inputs
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.streams import Stream
from framework.dsl.tables import Table
from framework.dsl.windows import check_grace
from framework.plan.nodes import Changes, Emit, OutputNode
from framework.plan.types import UNKNOWN, TypeRef
from framework.plan.windows import LATE, SessionWindows, WindowedNode, WindowedRef, Windows
from serde import Windowed

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")


class WindowedTable(Table[Windowed[K], A], Generic[K, V, A]):
    """A table of results by key and window; `late` are the records that came too late for it."""

    __slots__ = ("_late",)

    def __init__(self, scope: Scope, node: WindowedNode) -> None:
        super().__init__(scope, node)
        self._late: Stream[K, V] | None = None

    @property
    def late(self) -> Stream[K, V]:
        """The records that were too late, as they came: key, value, timestamp and headers."""
        if self._late is None:
            node, source = self.node, self.node.parents[0]
            late = OutputNode(
                name=f"{node.name}.late",
                verb="late",
                origin=user_line(),
                parents=(node,),
                key=source.key,
                value=source.value if len(node.parents) == 1 else TypeRef(UNKNOWN),
                index=LATE,
            )
            self._scope.add(late)
            self._late = Stream(self._scope, late)
        return self._late


class WindowedStream(Generic[K, V]):
    """Records of one key and window come together here. Records without key or value are skipped and counted.

    Each aggregation takes `emit`: `"changes"` passes changes on, `"final"` each window once, when stream time closes
    it, `"complete"` the whole table at each commit that changed it; and `changes`: `"latest"` is the last change of
    each key, window and commit, `"all"` every one.
    """

    __slots__ = ("_scope", "_stream", "_windows")

    def __init__(self, scope: Scope, stream: Stream[K, V], windows: Windows) -> None:
        self._scope, self._stream, self._windows = scope, stream, windows

    def count(
        self, *, emit: Emit = "changes", changes: Changes = "latest", name: str | None = None
    ) -> WindowedTable[K, V, int]:
        """How many records; the values are not even decoded."""
        return self._keep("count", aggregations.count(), emit, changes, name)

    def sum(
        self,
        of: Callable[[V], A] | None = None,
        *,
        type: type[A] | None = None,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, A]:
        """The sum of the values, or of `of(value)`."""
        declared = aggregations.total(self._scope, self._values, of, type)
        return self._keep("sum", declared, emit, changes, name)

    def min(
        self,
        of: Callable[[V], A] | None = None,
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, A]:
        """The smallest of the values, or of `of(value)`."""
        return self._keep("min", aggregations.least(self._scope, self._values, of), emit, changes, name)

    def max(
        self,
        of: Callable[[V], A] | None = None,
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, A]:
        """The greatest of the values, or of `of(value)`."""
        return self._keep("max", aggregations.greatest(self._scope, self._values, of), emit, changes, name)

    def mean(
        self,
        of: Callable[[V], float] | None = None,
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, float]:
        """The mean of the values, or of `of(value)`; the store keeps their sum and number."""
        return self._keep("mean", aggregations.mean(self._scope, self._values, of), emit, changes, name)

    def collect(
        self,
        of: Callable[[V], A] | None = None,
        *,
        max: int | None = None,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, list[A]]:
        """The values, or `of(value)`, in the order of their arrival; with `max` the first so many."""
        return self._keep("collect", aggregations.collect(self._scope, self._values, of, max), emit, changes, name)

    def approx_distinct(
        self,
        of: Callable[[V], object] | None = None,
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, int]:
        """About how many different values, or `of(value)`: off by 1.6 % (one standard deviation), in at most 4 KB."""
        declared = aggregations.approx_distinct(self._scope, self._values, of)
        return self._keep("approx_distinct", declared, emit, changes, name)

    def reduce(
        self,
        fn: Callable[[V, V], V],
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, V]:
        """`fn(old, new)` over the values of a key and window; the first value starts."""
        return self._keep("reduce", aggregations.reduce(self._scope, self._values, fn), emit, changes, name)

    def aggregate(
        self,
        initial: Callable[[], A] | A,
        fn: Callable[[A, V], A],
        *,
        merge: Callable[[A, A], A] | None = None,
        type: type[A] | None = None,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, V, A]:
        """`fn(state, value)` over the values of a key and window, starting from `initial`, a value or a callable.

        Sessions need `merge(left, right)` too: when a record joins sessions, their states are merged into a fresh
        initial one, in the order of time, and then the record is added. A result of None deletes the window. The
        functions may change the state they are given and return it.
        """
        declared = aggregations.aggregate(self._scope, self._values, initial, fn, merge, type)
        return self._keep("aggregate", declared, emit, changes, name)

    def cogroup(
        self,
        functions: Mapping[GroupedStream[K, Any], Callable[[A, Any], A]],
        *,
        initial: Callable[[], A] | A,
        merge: Callable[[A, A], A] | None = None,
        type: type[A] | None = None,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> WindowedTable[K, Any, A]:
        """One state per window from several grouped streams, this one among them, each by its `fn(state, value)`."""
        streams = cogroup_inputs(self._scope, self._stream, functions)
        inputs = list(zip(functions.values(), [s.node.value for s in streams], strict=True))
        declared = aggregations.cogroup(self._scope, inputs, initial, merge, type)
        return self._keep("cogroup", declared, emit, changes, name, streams)

    @property
    def _values(self) -> TypeRef:
        return self._stream.node.value

    def _keep(
        self,
        verb: str,
        declared: aggregations.Declared,
        emit: Emit,
        changes: Changes,
        name: str | None,
        streams: Sequence[Stream[K, Any]] = (),
    ) -> WindowedTable[K, Any, Any]:
        if emit not in ("changes", "final", "complete"):
            raise self._scope.error(f'{verb}() takes emit="changes", "final" or "complete", got {emit!r}.')
        self._scope.check_changes(verb, changes)
        aggregation, value = declared
        windows = self._windows
        if emit == "final":
            check_grace(self._scope, windows, f'{verb}(emit="final")')
        if isinstance(windows, SessionWindows):
            if aggregation.merge is None:
                raise self._scope.error(
                    f"{verb}() over sessions needs merge=, which makes one state of two: a record can join sessions."
                )
            if len(streams) > 1 and callable(windows.gap_ms):
                gap_of = windows.gap_ms
                windows = replace(windows, gap_ms=lambda pair: gap_of(pair[1]))
        elif verb in ("aggregate", "cogroup") and aggregation.merge is not None:
            raise self._scope.error(f"{verb}() takes merge= over sessions only: other windows never become one.")
        node = WindowedNode(
            name=self._scope.name(verb, name, stateful=True),
            verb=verb,
            origin=user_line(),
            parents=tuple(stream.node for stream in streams or (self._stream,)),
            key=WindowedRef(self._stream.node.key),
            value=value,
            windows=windows,
            aggregation=aggregation,
            emit=emit,
            changes=changes,
        )
        self._scope.add(node)
        return WindowedTable(self._scope, node)
