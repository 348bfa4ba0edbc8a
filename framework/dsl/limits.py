"""Declaring the steps that let only some records pass: `deduplicate` and `limit_rate`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from framework.dsl.joins import milliseconds
from framework.dsl.origin import user_line
from framework.dsl.scope import stated
from framework.durations import Duration
from framework.plan.limits import DeduplicateNode, LimitNode

if TYPE_CHECKING:
    from framework.dsl.streams import Stream


def deduplicate_stream(
    stream: "Stream[Any, Any]",
    fn: Callable[[Any], Any] | None,
    within: Duration,
    known: object | None,
    name: str | None,
) -> "Stream[Any, Any]":
    """The stream without repeats.

    Raises:
        DeclarationError: the function does not fit, there is neither function nor key, or `within` is no time.
    """
    from framework.dsl.streams import Stream

    scope = stream._scope
    within_ms = milliseconds(scope, "deduplicate", "within", within, least_ms=1)
    id_type = stream.node.key
    if fn is not None:
        id_type = stated(known, scope.check_function("deduplicate", fn, ("values", stream.node.value)).returns)
    else:
        stream._require_key("deduplicate")
    name = scope.name("deduplicate", name, stateful=True)
    source = stream._keyed("deduplicate") if stream.is_rekeyed else stream
    node = DeduplicateNode(
        name=name,
        verb="deduplicate",
        origin=user_line(),
        parents=(source.node,),
        key=stream.node.key,
        value=stream.node.value,
        function=fn,
        id=id_type,
        within_ms=within_ms,
    )
    scope.add(node)
    return Stream(scope, node)


def limit_stream(
    stream: "Stream[Any, Any]", n: int, per: Duration, grace: Duration, name: str | None
) -> "Stream[Any, Any]":
    """The stream with at most n records per key and period.

    Raises:
        DeclarationError: n is below 1, or a time is wrong.
    """
    from framework.dsl.streams import Stream

    scope = stream._scope
    if not isinstance(n, int) or n < 1:
        raise scope.error(f"limit_rate() lets at least 1 record pass, got {n!r}.")
    period_ms = milliseconds(scope, "limit_rate", "per", per, least_ms=1)
    grace_ms = milliseconds(scope, "limit_rate", "grace", grace)
    name = scope.name("limit_rate", name, stateful=True)
    source = stream._keyed("limit_rate") if stream.is_rekeyed else stream
    node = LimitNode(
        name=name,
        verb="limit_rate",
        origin=user_line(),
        parents=(source.node,),
        key=stream.node.key,
        value=stream.node.value,
        limit=n,
        period_ms=period_ms,
        grace_ms=grace_ms,
    )
    scope.add(node)
    return Stream(scope, node)
