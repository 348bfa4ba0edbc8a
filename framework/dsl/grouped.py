"""`GroupedStream[K, V]`: a stream spread by key, ready to be aggregated into a table."""

import copy
import operator
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from framework.dsl.annotations import is_assignable, type_name, without_none
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.streams import Stream
from framework.dsl.tables import Table
from framework.plan.nodes import AggregateNode, Aggregation, Changes
from framework.plan.types import UNKNOWN, TypeRef

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")


class GroupedStream(Generic[K, V]):
    """Records of one key come together here. Records without key or value are skipped and counted.

    Each aggregation takes `changes`: `"latest"` passes on the last change of each key and commit, `"all"` every one.
    """

    __slots__ = ("_scope", "_stream")

    def __init__(self, scope: Scope, stream: Stream[K, V]) -> None:
        self._scope, self._stream = scope, stream

    def count(self, *, changes: Changes = "latest", name: str | None = None) -> Table[K, int]:
        """How many records each key has; the values are not even decoded."""
        return self._aggregate("count", Aggregation("count", _count_up, int), TypeRef(int), changes, name)

    def sum(
        self,
        of: Callable[[V], A] | None = None,
        *,
        type: type[A] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, A]:
        """The sum of the values, or of `of(value)`."""
        known = self._stream.node.value.known
        if of is not None:
            known = self._scope.check_function("sum", of, ("values", self._stream.node.value)).returns
        add: Callable[[Any, V], Any] = operator.add if of is None else lambda state, value: state + of(value)
        return self._aggregate(
            "sum", Aggregation("fold", add, _zero_of(type or known)), TypeRef(type or known), changes, name
        )

    def reduce(self, fn: Callable[[V, V], V], *, changes: Changes = "latest", name: str | None = None) -> Table[K, V]:
        """`fn(old, new)` over the values of a key; the first value starts."""
        value = self._stream.node.value
        returns = self._scope.check_function("reduce", fn, ("values", value), ("values", value)).returns
        if not is_assignable(returns, value.known):
            raise self._scope.error(
                f"reduce() keeps a value of the stream, which is {type_name(value.known)}, but its function returns "
                f"{type_name(returns)}: use aggregate(initial, fn) for a result of another type."
            )
        return self._aggregate("reduce", Aggregation("fold", fn), value, changes, name)

    def aggregate(
        self,
        initial: Callable[[], A] | A,
        fn: Callable[[A, V], A],
        *,
        type: type[A] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, A]:
        """`fn(state, value)` over the values of a key, starting from `initial`, a value or a callable.

        A result of None deletes the key. The function may change the state it is given and return it.
        """
        start: Callable[[], Any] = initial if callable(initial) else lambda: copy.deepcopy(initial)
        known = self._state_type(initial, type)
        types = self._scope.check_function(
            "aggregate", fn, ("state", TypeRef(known)), ("values", self._stream.node.value)
        )
        if known is UNKNOWN:
            known = types.returns
        elif not is_assignable(without_none(types.returns), known):
            raise self._scope.error(
                f"aggregate() starts from {type_name(known)}, but its function returns {type_name(types.returns)}: "
                "both are the state, so they must be of one type."
            )
        return self._aggregate("aggregate", Aggregation("fold", fn, start), TypeRef(known), changes, name)

    def _state_type(self, initial: object, explicit: object | None) -> object:
        if explicit is not None:
            return explicit
        if callable(initial):
            return self._scope.check_function("aggregate", initial).returns
        # Reason: the elements of an empty list are anybody's guess; only scalars and the user's own classes tell.
        return UNKNOWN if isinstance(initial, list | dict | set | tuple) or initial is None else type(initial)

    def _aggregate(
        self, verb: str, aggregation: Aggregation, value: TypeRef, changes: Changes, name: str | None
    ) -> Table[K, Any]:
        if changes not in ("latest", "all"):
            raise self._scope.error(f'{verb}() takes changes="latest" or "all", got {changes!r}.')
        node = AggregateNode(
            name=self._scope.name(verb, name, stateful=True),
            verb=verb,
            origin=user_line(),
            parents=(self._stream.node,),
            key=self._stream.node.key,
            value=value,
            aggregation=aggregation,
            changes=changes,
        )
        self._scope.add(node)
        return Table(self._scope, node)


def _count_up(count: int, _: object) -> int:
    return count + 1


def _zero_of(known: object) -> Callable[[], Any]:
    return float if known is float else int
