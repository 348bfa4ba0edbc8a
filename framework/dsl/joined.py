"""What a join of two streams gives: a stream, and beside it the records that came too late for it."""

from typing import Generic, TypeVar

from framework.dsl.origin import user_line
from framework.dsl.scope import Scope
from framework.dsl.streams import Stream
from framework.plan.joins import LATE_LEFT, LATE_RIGHT, StreamJoinNode
from framework.plan.nodes import OutputNode

K = TypeVar("K")
V = TypeVar("V")
L = TypeVar("L")
R = TypeVar("R")


class JoinedStream(Stream[K, V], Generic[K, V, L, R]):
    """The results of a join; with `late="drop"`, `late_left` and `late_right` are the records that it dropped as late.

    By default a join drops none: what is late meets what is still kept, so to ask for them is refused.
    """

    __slots__ = ("_join", "_late")

    def __init__(self, scope: Scope, node: StreamJoinNode) -> None:
        super().__init__(scope, node)
        self._join = node
        self._late: dict[int, Stream[K, L | R]] = {}

    @property
    def late_left(self) -> Stream[K, L]:
        """The left records that were too late, as they came: key, value, timestamp and headers."""
        return self._output("late_left", LATE_LEFT)  # type: ignore[return-value]  # the left values

    @property
    def late_right(self) -> Stream[K, R]:
        """The right records that were too late, as they came: key, value, timestamp and headers."""
        return self._output("late_right", LATE_RIGHT)  # type: ignore[return-value]  # the right values

    def _output(self, verb: str, index: int) -> Stream[K, L | R]:
        node = self._join
        if node.late != "drop":
            raise self._scope.error(
                f'{verb} are the records that {node.verb}(late="drop") drops, but this join drops none: a late record '
                'meets what is still kept. Say late="drop" if it should not.'
            )
        if index not in self._late:
            late = OutputNode(
                name=f"{node.name}.{verb}",
                verb=verb,
                origin=user_line(),
                parents=(node,),
                key=node.key,
                value=node.parents[index - LATE_LEFT].value,
                index=index,
            )
            self._scope.add(late)
            self._late[index] = Stream(self._scope, late)
        return self._late[index]
