"""`GroupedStream[K, V]`: a stream spread by key, ready to be aggregated into a table."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from framework.dsl import aggregations
from framework.dsl.annotations import type_name
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.streams import Stream
from framework.dsl.tables import Table
from framework.plan.combine import CombineNode, merging
from framework.plan.nodes import AggregateNode, Aggregation, Changes, Emit, Node, RepartitionNode
from framework.plan.types import TypeRef
from framework.plan.windows import SessionWindows, SlidingWindows, TimeWindows, UnlimitedWindows, Windows

if TYPE_CHECKING:
    from framework.dsl.windowed import WindowedStream

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")


class GroupedStream(Generic[K, V]):
    """Records of one key come together here. Records without key or value are skipped and counted.

    Each aggregation takes `emit`: `"changes"` passes changes on, `"complete"` the whole table at each commit that
    changed it; and `changes`: `"latest"` is the last change of each key and commit, `"all"` every one.
    """

    __slots__ = ("_scope", "_stream")

    def __init__(self, scope: Scope, stream: Stream[K, V]) -> None:
        self._scope, self._stream = scope, stream

    def window(self, windows: Windows) -> "WindowedStream[K, V]":
        """Aggregate by key and window: `tumbling(…)`, `hopping(…)`, `sliding(…)`, `session(…)` or `unlimited()`."""
        from framework.dsl.windowed import WindowedStream

        if not isinstance(windows, TimeWindows | UnlimitedWindows | SlidingWindows | SessionWindows):
            raise self._scope.error(
                f'window() takes windows such as tumbling("10s") or session("5m"), got {type_name(windows)}.'
            )
        return WindowedStream(self._scope, self._stream, windows)

    def count(self, *, emit: Emit = "changes", changes: Changes = "latest", name: str | None = None) -> Table[K, int]:
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
    ) -> Table[K, A]:
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
    ) -> Table[K, A]:
        """The smallest of the values, or of `of(value)`."""
        return self._keep("min", aggregations.least(self._scope, self._values, of), emit, changes, name)

    def max(
        self,
        of: Callable[[V], A] | None = None,
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, A]:
        """The greatest of the values, or of `of(value)`."""
        return self._keep("max", aggregations.greatest(self._scope, self._values, of), emit, changes, name)

    def mean(
        self,
        of: Callable[[V], float] | None = None,
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, float]:
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
    ) -> Table[K, list[A]]:
        """The values, or `of(value)`, in the order of their arrival; with `max` the first so many."""
        return self._keep("collect", aggregations.collect(self._scope, self._values, of, max), emit, changes, name)

    def approx_distinct(
        self,
        of: Callable[[V], object] | None = None,
        *,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, int]:
        """About how many different values, or `of(value)`: off by 1.6 % (one standard deviation), in at most 4 KB."""
        declared = aggregations.approx_distinct(self._scope, self._values, of)
        return self._keep("approx_distinct", declared, emit, changes, name)

    def reduce(
        self,
        fn: Callable[[V, V], V],
        *,
        associative: bool = False,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, V]:
        """`fn(old, new)` over the values of a key; the first value starts.

        `associative` promises that `fn(fn(a, b), c)` equals `fn(a, fn(b, c))` and is never None. Behind a changed key
        each chunk then sends one value per key through the repartition topic, not every record.
        """
        declared = aggregations.reduce(self._scope, self._values, fn, associative=associative)
        return self._keep("reduce", declared, emit, changes, name)

    def aggregate(
        self,
        initial: Callable[[], A] | A,
        fn: Callable[[A, V], A],
        *,
        type: type[A] | None = None,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, A]:
        """`fn(state, value)` over the values of a key, starting from `initial`, a value or a callable.

        A result of None deletes the key. The function may change the state it is given and return it.
        """
        declared = aggregations.aggregate(self._scope, self._values, initial, fn, None, type)
        return self._keep("aggregate", declared, emit, changes, name)

    def cogroup(
        self,
        functions: "Mapping[GroupedStream[K, Any], Callable[[A, Any], A]]",
        *,
        initial: Callable[[], A] | A,
        type: type[A] | None = None,
        emit: Emit = "changes",
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, A]:
        """One state from several grouped streams, this one among them, each with its `fn(state, value)`."""
        streams = cogroup_inputs(self._scope, self._stream, functions)
        inputs = list(zip(functions.values(), [s.node.value for s in streams], strict=True))
        declared = aggregations.cogroup(self._scope, inputs, initial, None, type)
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
    ) -> Table[K, Any]:
        if emit not in ("changes", "complete"):
            raise self._scope.error(
                f'{verb}() takes emit="changes" or "complete", got {emit!r}'
                + (": a result is final only in a window, as in grouped.window(…)." if emit == "final" else ".")
            )
        self._scope.check_changes(verb, changes)
        aggregation, value = declared
        name = self._scope.name(verb, name, stateful=True)
        parents = tuple(stream.node for stream in streams or (self._stream,))
        partial = None if changes == "all" else self._partial(aggregation, value, name, parents)
        node = AggregateNode(
            name=name,
            verb=verb,
            origin=user_line(),
            parents=parents if partial is None else (partial,),
            key=self._stream.node.key,
            value=value,
            aggregation=aggregation if partial is None else merging(aggregation),
            changes=changes,
            emit=emit,
            is_merging=partial is not None,
        )
        self._scope.add(node)
        return Table(self._scope, node)

    def _partial(self, aggregation: Aggregation, value: TypeRef, name: str, parents: tuple[Node, ...]) -> Node | None:
        """A repartition of partial results instead of that of the records, where these come to the same; else None."""
        (spread, *others) = parents
        if others or not aggregation.is_exact or not isinstance(spread, RepartitionNode) or not spread.is_implied:
            return None
        combine = CombineNode(
            name=f"{name}.combine",
            verb="combine",
            origin=user_line(),
            parents=spread.parents,
            key=spread.key,
            value=aggregation.state or value,
            aggregation=aggregation,
            step=name,
        )
        self._scope.add(combine)
        return Stream(self._scope, combine).spread_as(f"{name}.partials").node


def cogroup_inputs(
    scope: Scope, receiver: Stream[Any, Any], functions: Mapping[GroupedStream[Any, Any], Callable[..., Any]]
) -> list[Stream[Any, Any]]:
    """The streams of a cogroup, in the order of its functions, after a check that they have one key.

    Raises:
        DeclarationError: no mapping of grouped streams, the receiver is not among them, or keys of different types.
    """
    if not isinstance(functions, Mapping) or not all(isinstance(grouped, GroupedStream) for grouped in functions):
        raise scope.error("cogroup() takes a dict of grouped streams and functions: {orders: add_order, …}.")
    streams = [grouped._stream for grouped in functions]
    if receiver not in streams:
        raise scope.error("cogroup() needs a function for the grouped stream it is called on: add it to the dict.")
    key = receiver.node.key
    for stream in streams:
        scope.check_edge("keys", stream.node.key, key.known, "the grouped stream it is cogrouped with")
    return streams
