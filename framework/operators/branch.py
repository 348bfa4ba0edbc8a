"""Splits a stream: by predicates, where the first true one takes the record, or over the topics of a function."""

from collections.abc import Callable
from typing import Any

from framework.chunk import Chunk
from framework.operators.base import SplittingOperator
from framework.plan.topics import TopicSpec


class BranchOperator(SplittingOperator):
    """`outputs` is the number of predicates, or one more for the rest."""

    def __init__(self, predicates: tuple[Callable[[Any], Any], ...]) -> None:
        self._predicates = predicates

    def split(self, chunk: Chunk) -> tuple[Chunk, ...]:
        rest = len(self._predicates)
        choices = [
            next((i for i, predicate in enumerate(self._predicates) if predicate(value)), rest)
            for value in chunk.values.decoded
        ]
        return tuple(chunk.select([choice == i for choice in choices]) for i in range(rest + 1))


class RouteOperator(SplittingOperator):
    """One output per topic; the function returns the topic, which must be among them."""

    def __init__(self, choose: Callable[[Any], Any], topics: tuple[TopicSpec, ...]) -> None:
        self._choose, self._numbers = choose, {topic.name: i for i, topic in enumerate(topics)}

    def split(self, chunk: Chunk) -> tuple[Chunk, ...]:
        choices = [self._number(self._choose(value)) for value in chunk.values.decoded]
        return tuple(chunk.select([choice == i for choice in choices]) for i in range(len(self._numbers)))

    def _number(self, topic: Any) -> int:
        number = self._numbers.get(getattr(topic, "name", None) or "")
        if number is None:
            raise ValueError(
                f"the function of to() chose {topic!r}, which is not among topics=({', '.join(self._numbers)})"
            )
        return number
