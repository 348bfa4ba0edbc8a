"""Joins of two streams: what their declaration checks, and the node it makes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union, get_args

from framework.dsl.origin import user_line
from framework.dsl.scope import Scope, stated
from framework.durations import Duration, to_ms
from framework.plan.joins import JoinKind, JoinWindow, Late, StreamJoinNode
from framework.plan.nodes import Node, RepartitionNode, SourceNode
from framework.plan.types import UNKNOWN, TypeRef

if TYPE_CHECKING:
    from framework.dsl.joined import JoinedStream
    from framework.dsl.streams import Stream

Within = Duration | tuple[Duration, Duration]
VERBS: dict[JoinKind, str] = {"inner": "join", "left": "left_join", "outer": "outer_join", "semi": "semi_join"}


def join_streams(
    left: "Stream[Any, Any]",
    right: "Stream[Any, Any]",
    kind: JoinKind,
    *,
    within: Within,
    grace: Duration,
    late: Late,
    function: Callable[[Any, Any], Any] | None = None,
    known: object | None = None,
    name: str | None = None,
) -> "JoinedStream[Any, Any, Any, Any]":
    """The stream of what matches, and on outer sides of what does not.

    Raises:
        DeclarationError: what is joined is no stream, keys or function do not fit, times are wrong, or the two sides
            have different numbers of partitions.
    """
    from framework.dsl.joined import JoinedStream
    from framework.dsl.streams import Stream

    scope, verb = left._scope, VERBS[kind]
    if not isinstance(right, Stream):
        raise scope.error(f"{verb}() joins a stream with a stream, got {type(right).__name__}: use .to_stream() first.")
    window = _window(scope, verb, within, grace)
    if late not in get_args(Late):
        raise scope.error(f'{verb}() takes late="join" or "drop", got {late!r}.')
    value = left.node.value
    if function is not None:
        given = (_or_none(value, kind == "outer"), _or_none(right.node.value, kind in ("left", "outer")))
        value = stated(known, scope.check_function(verb, function, ("values", given[0]), ("values", given[1])).returns)
    name = scope.name(verb, name, stateful=True)
    this, other = left._keyed(verb), right._keyed(verb)
    this.node.key.learn(other.node.key.known)
    scope.check_edge("keys", other.node.key, this.node.key.known, "the stream it is joined with")
    check_partitions(scope, verb, this.node, other.node)
    node = StreamJoinNode(
        name=name,
        verb=verb,
        origin=user_line(),
        parents=(this.node, other.node),
        key=this.node.key,
        value=value,
        kind=kind,
        window=window,
        late=late,
        function=function,
    )
    scope.add(node)
    return JoinedStream(scope, node)


def milliseconds(scope: Scope, verb: str, what: str, duration: Duration, *, least_ms: int = 0) -> int:
    """A duration that the user gave to a verb.

    Raises:
        DeclarationError: no duration, negative, or too short.
    """
    try:
        ms = to_ms(duration)
    except (ValueError, TypeError) as error:
        raise scope.error(f"{verb}({what}={duration!r}): {error}.") from error
    if ms < least_ms:
        raise scope.error(f"{verb}() takes {what} of at least {least_ms} ms, got {duration!r}.")
    return ms


def _window(scope: Scope, verb: str, within: Within, grace: Duration) -> JoinWindow:
    before, after = within if isinstance(within, tuple) and len(within) == 2 else (within, within)
    return JoinWindow(
        milliseconds(scope, verb, "within", before),
        milliseconds(scope, verb, "within", after),
        milliseconds(scope, verb, "grace", grace),
    )


def _or_none(ref: TypeRef, may_be_none: bool) -> TypeRef:
    known: Any = ref.known
    return ref if not may_be_none or known is UNKNOWN else TypeRef(Union[known, None])  # noqa: UP007  # known is data


def check_partitions(scope: Scope, verb: str, left: Node, right: Node) -> None:
    """Equal keys meet only in equal partitions; where both sides state how many there are, they can be compared now."""
    mine, its = _stated_partitions(left), _stated_partitions(right)
    if len(mine) == 1 and len(its) == 1 and mine != its:
        raise scope.error(
            f"{verb}() joins records by key, but the left side has {mine.pop()} partitions and the right one "
            f"{its.pop()}: bring one of them by .repartition(partitions=…), or declare the topics alike."
        )


def _stated_partitions(node: Node) -> set[int]:
    """The numbers of partitions that the declaration states for what a node reads."""
    if isinstance(node, RepartitionNode):
        return {node.partitions} if node.partitions is not None else set()
    if isinstance(node, SourceNode):
        return {node.topic.partitions} if node.topic.partitions is not None else set()
    return set().union(*(_stated_partitions(parent) for parent in node.parents))
