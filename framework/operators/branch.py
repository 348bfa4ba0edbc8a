"""Splits a stream: the first predicate that is true takes the record; the rest goes to one more output, if any."""

from collections.abc import Callable
from typing import Any

from framework.chunk import Chunk
from framework.operators.base import SplittingOperator


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
