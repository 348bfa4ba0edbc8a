"""The aggregations, for streams with and without windows: what they start from, add, merge and give.

Each function checks its arguments against the stream's type and returns the aggregation and the type of its result.
"""

import builtins
import copy
import operator
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from framework.dsl.annotations import is_assignable, type_name, without_none
from framework.dsl.scope import Scope
from framework.plan.nodes import Aggregation
from framework.plan.topics import serde_for
from framework.plan.types import UNKNOWN, TypeRef
from serde import SerdeError

# Of values of other types the order may leave some unordered, and then it would matter which are compared first.
_TOTALLY_ORDERED = (int, float, str, bytes, bool, UUID, datetime)

Of = Callable[[Any], Any]
Declared = tuple[Aggregation, TypeRef]


def count() -> Declared:
    """How many records; the values are not even decoded."""
    return Aggregation("count", _count_up, int, merge=operator.add, is_exact=True), TypeRef(int)


def total(scope: Scope, values: TypeRef, of: Of | None, type: object | None) -> Declared:
    """The sum, starting from the zero of the type."""
    known = summed_type(scope, "sum", type or _known_of(scope, "sum", values, of))
    start = float if known is float else int
    add = operator.add if of is None else lambda state, value: state + of(value)
    # Reason: what floats add up to depends on their order.
    return Aggregation("fold", add, start, merge=operator.add, is_exact=known is int), TypeRef(known)


def summed_type(scope: Scope, verb: str, known: object) -> object:
    """The type of a sum of values: theirs, but int for bools.

    Raises:
        DeclarationError: they cannot be added to 0.
    """
    if isinstance(known, builtins.type) and not hasattr(known, "__radd__") and known is not object:
        raise scope.error(
            f"{verb}() adds numbers, but the values are {type_name(known)}: {verb}(fn) takes one from each."
        )
    return int if known is bool else known


def least(scope: Scope, values: TypeRef, of: Of | None) -> Declared:
    """The smallest; the first of equal ones, and of floats NaN only where there is nothing else."""
    known = _known_of(scope, "min", values, of)
    if known is float:
        return _chosen(lambda old, new: new if new < old or old != old else old, of, known)  # noqa: PLR0124  # is NaN
    return _chosen(lambda old, new: new if new < old else old, of, known)


def greatest(scope: Scope, values: TypeRef, of: Of | None) -> Declared:
    """The greatest; the first of equal ones, and of floats NaN only where there is nothing else."""
    known = _known_of(scope, "max", values, of)
    if known is float:
        return _chosen(lambda old, new: new if new > old or old != old else old, of, known)  # noqa: PLR0124  # is NaN
    return _chosen(lambda old, new: new if new > old else old, of, known)


def _chosen(choose: Callable[[Any, Any], Any], of: Of | None, known: object) -> Declared:
    is_exact = known in _TOTALLY_ORDERED
    if of is None:
        return Aggregation("fold", choose, merge=choose, is_exact=is_exact), TypeRef(known)
    # Reason: a state of None would be a deletion, so a key that has no value yet starts from a mark of its own.
    add = lambda state, value: of(value) if state is _NOTHING else choose(state, of(value))  # noqa: E731
    merge = lambda left, right: right if left is _NOTHING else left if right is _NOTHING else choose(left, right)  # noqa: E731
    return Aggregation("fold", add, lambda: _NOTHING, merge=merge, is_exact=is_exact), TypeRef(known)


def mean(scope: Scope, values: TypeRef, of: Of | None) -> Declared:
    """The mean; the state is the sum and the number of values."""
    known = summed_type(scope, "mean", _known_of(scope, "mean", values, of))
    number = int if known is int else float
    kept = tuple[int, int] if known is int else tuple[float, int]
    aggregation = Aggregation(
        "fold",
        _add_to_sum if of is None else lambda state, value: _add_to_sum(state, of(value)),
        lambda: (number(), 0),
        merge=lambda left, right: (left[0] + right[0], left[1] + right[1]),
        result=lambda state: state[0] / state[1],
        state=TypeRef(kept),
        # Reason: JSON has no infinity and no NaN.
        serde=serde_for(kept, "msgpack"),
        is_exact=known is int,
    )
    return aggregation, TypeRef(float)


def collect(scope: Scope, values: TypeRef, of: Of | None, most: int | None) -> Declared:
    """The values in the order of their arrival, the first `most` of them."""
    if most is not None and (not isinstance(most, int) or most < 1):
        raise scope.error(f"collect() takes max >= 1, got {most!r}.")
    known = _known_of(scope, "collect", values, of)

    def add(state: list[Any], value: Any) -> list[Any]:
        if most is None or len(state) < most:
            state.append(value if of is None else of(value))
        return state

    aggregation = Aggregation("fold", add, list, merge=lambda left, right: (left + right)[:most], copy=builtins.list)
    return aggregation, TypeRef(list if known is UNKNOWN else list[known])  # type: ignore[valid-type]  # known at run time


def approx_distinct(scope: Scope, values: TypeRef, of: Of | None) -> Declared:
    """About how many different values; the state is a HyperLogLog sketch."""
    try:
        from framework.dsl.sketches import distinct
    except ImportError as error:
        raise scope.error("approx_distinct() needs the package datasketches: install penstock[sketches].") from error
    known = _known_of(scope, "approx_distinct", values, of)
    try:
        return distinct(serde_for(known), of), TypeRef(int)
    except SerdeError as error:
        raise scope.error(f"approx_distinct() cannot tell values of type {type_name(known)} apart: {error}") from error


def reduce(scope: Scope, values: TypeRef, fn: Callable[[Any, Any], Any], *, associative: bool = False) -> Declared:
    """`fn(old, new)`; the first value starts."""
    returns = scope.check_function("reduce", fn, ("values", values), ("values", values)).returns
    if not is_assignable(returns, values.known):
        raise scope.error(
            f"reduce() keeps a value of the stream, which is {type_name(values.known)}, but its function returns "
            f"{type_name(returns)}: use aggregate(initial, fn) for a result of another type."
        )
    if associative:
        fn = _never_none(fn)
    return Aggregation("fold", fn, merge=fn, is_exact=associative), values


def _never_none(fn: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The same function, which must not delete a key: what came before is not in a partial result."""

    def reduced(old: Any, new: Any) -> Any:
        value = fn(old, new)
        if value is None:
            raise TypeError(
                "reduce(associative=True) keeps a value, but its function returned None, which would delete the key: "
                "return a value, or leave associative= out."
            )
        return value

    return reduced


def aggregate(
    scope: Scope,
    values: TypeRef,
    initial: Any,
    fn: Callable[[Any, Any], Any],
    merge: Callable[[Any, Any], Any] | None,
    type: object | None,
) -> Declared:
    """`fn(state, value)` from `initial`, a value or a callable."""
    known = _checked(scope, "aggregate", [(fn, values)], initial, merge, type)
    return Aggregation("fold", fn, _start(initial), merge=merge), TypeRef(known)


def cogroup(
    scope: Scope,
    inputs: Sequence[tuple[Callable[[Any, Any], Any], TypeRef]],
    initial: Any,
    merge: Callable[[Any, Any], Any] | None,
    type: object | None,
) -> Declared:
    """One function for each input; the values are pairs (number of the input, value)."""
    known = _checked(scope, "cogroup", inputs, initial, merge, type)
    functions = [fn for fn, _ in inputs]
    add = lambda state, pair: functions[pair[0]](state, pair[1])  # noqa: E731
    if len(functions) == 1:
        add = functions[0]
    return Aggregation("fold", add, _start(initial), merge=merge), TypeRef(known)


def _checked(
    scope: Scope,
    verb: str,
    inputs: Sequence[tuple[Callable[[Any, Any], Any], TypeRef]],
    initial: object,
    merge: Callable[[Any, Any], Any] | None,
    explicit: object | None,
) -> object:
    """The type of the state, after a check that all functions agree on it."""
    known = _state_type(scope, verb, initial, explicit)
    for fn, values in inputs:
        returns = scope.check_function(verb, fn, ("state", TypeRef(known)), ("values", values)).returns
        if known is UNKNOWN:
            known = returns
        elif not is_assignable(without_none(returns), known):
            raise scope.error(
                f"{verb}() starts from {type_name(known)}, but its function returns {type_name(returns)}: "
                "both are the state, so they must be of one type."
            )
    if merge is not None:
        returns = scope.check_function(verb, merge, ("state", TypeRef(known)), ("state", TypeRef(known))).returns
        if not is_assignable(returns, known):
            raise scope.error(
                f"the state of {verb}() is {type_name(known)}, but merge returns {type_name(returns)}: "
                "it makes one state of two."
            )
    return known


def _state_type(scope: Scope, verb: str, initial: object, explicit: object | None) -> object:
    if explicit is not None:
        return explicit
    if callable(initial):
        return scope.check_function(verb, initial).returns
    # Reason: the elements of an empty list are anybody's guess; only scalars and the user's own classes tell.
    if isinstance(initial, list | dict | set | tuple) or initial is None:
        return UNKNOWN
    return builtins.type(initial)


def _start(initial: Any) -> Callable[[], Any]:
    return initial if callable(initial) else lambda: copy.deepcopy(initial)


def _known_of(scope: Scope, verb: str, values: TypeRef, of: Of | None) -> object:
    if of is None:
        return values.known
    return scope.check_function(verb, of, ("values", values)).returns


def _count_up(count: int, _: object) -> int:
    return count + 1


def _add_to_sum(state: tuple[Any, int], value: Any) -> tuple[Any, int]:
    return state[0] + value, state[1] + 1


class _Nothing:
    """Before the first value."""


_NOTHING = _Nothing()
