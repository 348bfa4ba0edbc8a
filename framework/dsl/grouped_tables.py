"""`GroupedTable[K, V]`: rows of a table by another key, ready to be aggregated; what a row was is taken out first."""

import copy
import operator
from collections.abc import Callable
from typing import Any, Generic, NoReturn, TypeVar

from framework.dsl.aggregations import summed_type
from framework.dsl.annotations import is_assignable, type_name, without_none
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.tables import Table
from framework.plan.nodes import Aggregation, Changes
from framework.plan.tables import PartsRepartitionNode, TableAggregateNode
from framework.plan.types import UNKNOWN, TypeRef

K = TypeVar("K")
V = TypeVar("V")
A = TypeVar("A")


class GroupedTable(Generic[K, V]):
    """Rows of one group come together here. What a row was is subtracted, what it is now is added.

    Each aggregation takes `changes`: `"latest"` passes on the last change of each key and commit, `"all"` every one.
    """

    __slots__ = ("_node", "_scope", "_value")

    def __init__(self, scope: Scope, node: PartsRepartitionNode, value: TypeRef) -> None:
        self._scope, self._node, self._value = scope, node, value

    def count(self, *, changes: Changes = "latest", name: str | None = None) -> Table[K, int]:
        """How many rows each group has; 0 when the last one has left."""
        aggregation = Aggregation("fold", lambda count, _: count + 1, int)
        return self._aggregate("count", aggregation, lambda count, _: count - 1, TypeRef(int), changes, name)

    def sum(
        self,
        of: Callable[[V], A] | None = None,
        *,
        type: type[A] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, A]:
        """The sum of the rows' values, or of `of(value)`."""
        known = self._value.known
        if of is not None:
            known = self._scope.check_function("sum", of, ("values", self._value)).returns
        known = summed_type(self._scope, "sum", type or known)
        add: Callable[[Any, V], Any] = operator.add if of is None else lambda state, value: state + of(value)
        subtract: Callable[[Any, V], Any] = operator.sub if of is None else lambda state, value: state - of(value)
        zero = float if known is float else int
        return self._aggregate("sum", Aggregation("fold", add, zero), subtract, TypeRef(known), changes, name)

    def mean(
        self, of: Callable[[V], float] | None = None, *, changes: Changes = "latest", name: str | None = None
    ) -> Table[K, float]:
        """The mean of the rows' values, or of `of(value)`; the store keeps their sum and number."""
        known = self._value.known
        if of is not None:
            known = self._scope.check_function("mean", of, ("values", self._value)).returns
        summed_type(self._scope, "mean", known)
        take: Callable[[Any], Any] = of or (lambda value: value)

        def subtract(state: tuple[float, int], value: V) -> tuple[float, int] | None:
            return (state[0] - take(value), state[1] - 1) if state[1] > 1 else None

        aggregation = Aggregation("fold", lambda state, value: (state[0] + take(value), state[1] + 1), lambda: (0.0, 0))
        sums = self._aggregate("mean", aggregation, subtract, TypeRef(tuple[float, int]), changes, name)
        return sums.map(lambda state: state[0] / state[1], type=float)

    def collect(
        self,
        of: Callable[[V], A] | None = None,
        *,
        type: type[A] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, list[A]]:
        """The rows' values, or `of(value)`, in the order of their arrival; a row that changes goes to the end."""
        known: Any = self._value.known
        if of is not None:
            known = self._scope.check_function("collect", of, ("values", self._value)).returns
        known = type or known
        take: Callable[[Any], Any] = of or (lambda value: value)

        def subtract(state: list[Any], value: V) -> list[Any] | None:
            gone = take(value)
            at = state.index(gone)
            return state[:at] + state[at + 1 :] or None

        aggregation = Aggregation("fold", lambda state, value: [*state, take(value)], list)
        kept = list if known is UNKNOWN else list[known]
        return self._aggregate("collect", aggregation, subtract, TypeRef(kept), changes, name)

    def reduce(
        self,
        add: Callable[[V, V], V],
        subtract: Callable[[V, V], V],
        *,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, V]:
        """`add(state, value)` for rows that come, `subtract(state, value)` for rows that go; the first value starts."""
        value = self._value
        for fn in (add, subtract):
            returns = self._scope.check_function("reduce", fn, ("values", value), ("values", value)).returns
            if not is_assignable(returns, value.known):
                raise self._scope.error(
                    f"reduce() keeps a value of the rows, which is {type_name(value.known)}, but its function returns "
                    f"{type_name(returns)}: use aggregate(initial, add, subtract) for a result of another type."
                )
        return self._aggregate("reduce", Aggregation("fold", add), subtract, value, changes, name)

    def aggregate(
        self,
        initial: Callable[[], A] | A,
        add: Callable[[A, V], A],
        subtract: Callable[[A, V], A],
        *,
        type: type[A] | None = None,
        changes: Changes = "latest",
        name: str | None = None,
    ) -> Table[K, A]:
        """`add(state, value)` and `subtract(state, value)`, starting from `initial`, a value or a callable.

        A result of None deletes the group. The functions may change the state they are given and return it.
        """
        start: Callable[[], Any] = initial if callable(initial) else lambda: copy.deepcopy(initial)
        known = self._state_type(initial, type)
        for fn in (add, subtract):
            types = self._scope.check_function("aggregate", fn, ("state", TypeRef(known)), ("values", self._value))
            if known is UNKNOWN:
                known = types.returns
            elif not is_assignable(without_none(types.returns), known):
                raise self._scope.error(
                    f"aggregate() starts from {type_name(known)}, but its function returns {type_name(types.returns)}: "
                    "both are the state, so they must be of one type."
                )
        return self._aggregate("aggregate", Aggregation("fold", add, start), subtract, TypeRef(known), changes, name)

    def min(self, *_: Any, **__: Any) -> NoReturn:
        """Not on a table: what leaves cannot be taken out of a minimum."""
        self._refuse("min")

    def max(self, *_: Any, **__: Any) -> NoReturn:
        """Not on a table: what leaves cannot be taken out of a maximum."""
        self._refuse("max")

    def _refuse(self, verb: str) -> NoReturn:
        raise self._scope.error(
            f"{verb}() of a grouped table cannot be: rows leave their groups, and a {verb}imum does not tell what it "
            "is without them. Use aggregate(initial, add, subtract) with a state that keeps them all."
        )

    def window(self, *_: Any, **__: Any) -> NoReturn:
        """Not on a table: its rows are no events."""
        raise self._scope.error(
            "window() of a grouped table cannot be: a table says how things are, not when. Window the stream that the "
            "table comes from."
        )

    def _state_type(self, initial: object, explicit: object | None) -> object:
        if explicit is not None:
            return explicit
        if callable(initial):
            return self._scope.check_function("aggregate", initial).returns
        return UNKNOWN if isinstance(initial, list | dict | set | tuple) or initial is None else type(initial)

    def _aggregate(
        self,
        verb: str,
        aggregation: Aggregation,
        subtract: Callable[[Any, Any], Any],
        value: TypeRef,
        changes: Changes,
        name: str | None,
    ) -> Table[K, Any]:
        self._scope.check_changes(verb, changes)
        node = TableAggregateNode(
            name=self._scope.name(verb, name, stateful=True),
            verb=verb,
            origin=user_line(),
            parents=(self._node,),
            key=self._node.key,
            value=value,
            aggregation=aggregation,
            subtract=subtract,
            changes=changes,
        )
        self._scope.add(node)
        return Table(self._scope, node)
