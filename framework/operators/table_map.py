"""Maps and filters of tables: they keep nothing, and pass on what a change replaces where somebody asks for it."""

from typing import Any

from framework.chunk import Chunk
from framework.operators.base import Operator, OperatorContext
from framework.plan.tables import TableFilterNode, TableMapNode


class TableMapOperator(Operator):
    """Each value by a function; a deletion stays one."""

    def __init__(self, node: TableMapNode, _: OperatorContext) -> None:
        self._function = node.function

    def process(self, chunk: Chunk) -> Chunk:
        mapped = chunk.with_values([self._mapped(value) for value in chunk.values.decoded])
        if chunk.olds is not None:
            mapped.olds = [self._mapped(old) for old in chunk.olds]
        return mapped

    def _mapped(self, value: Any) -> Any:
        return None if value is None else self._function(value)


class TableFilterOperator(Operator):
    """The rows for which a function is true. A row that leaves is deleted; one that was never in says nothing."""

    def __init__(self, node: TableFilterNode, context: OperatorContext) -> None:
        self._function, self._with_olds = node.function, node in context.with_olds

    def process(self, chunk: Chunk) -> Chunk:
        news = [self._passed(value) for value in chunk.values.decoded]
        if chunk.olds is None:
            return chunk.with_values(news)
        olds = [self._passed(old) for old in chunk.olds]
        passed = chunk.with_values(news)
        if self._with_olds:
            passed.olds = olds
        return passed.select([new is not None or old is not None for new, old in zip(news, olds, strict=True)])

    def _passed(self, value: Any) -> Any:
        return value if value is not None and self._function(value) else None
