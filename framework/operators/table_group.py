"""Grouping of tables: a row that changes is taken out of the group it was in and put into the one it is in now.

Both travel by a repartition topic. If both fall on the same key they are one record, so that the group changes once;
else the old goes first. Each change travels, whatever the table passes on to others: a group that a row was in for a
moment has been there, however the input is cut.
"""

from collections.abc import Callable
from typing import Any

from framework.chunk import Chunk
from framework.operators.aggregate import Stamped, StoringOperator, copy_of
from framework.operators.base import Operator, OperatorContext
from framework.plan.tables import TableAggregateNode, TableGroupNode
from serde.parts import Change


class TableGroupOperator(Operator):
    """Changes of rows to `Change`s of groups. What has a null key or value is in no group."""

    def __init__(self, node: TableGroupNode, _: OperatorContext) -> None:
        self._pair, self._view = node.pair, node.view

    def process(self, chunk: Chunk) -> Chunk:
        olds = chunk.olds if chunk.olds is not None else [None] * len(chunk)
        news = chunk.values.decoded
        if self._view is not None:
            olds = [None if old is None else self._view(old[0]) for old in olds]
            news = list(map(self._view, news))
        places: list[int] = []
        keys: list[Any] = []
        changes: list[Change[Any]] = []
        for place, (key, new, old) in enumerate(zip(chunk.keys.decoded, news, olds, strict=True)):
            left, joined = self._grouped(key, old), self._grouped(key, new)
            if left is not None and joined is not None and left[0] == joined[0]:
                found = [(left[0], Change(joined[1], left[1]))]
            else:
                found = [] if left is None else [(left[0], Change(None, left[1]))]
                found += [] if joined is None else [(joined[0], Change(joined[1], None))]
            for group, change in found:
                places.append(place)
                keys.append(group)
                changes.append(change)
        return chunk.take(places).with_keys(keys).with_values(changes)

    def _grouped(self, key: Any, value: Any) -> tuple[Any, Any] | None:
        if value is None:
            return None
        group, grouped = self._pair(key, value)
        return None if group is None or grouped is None else (group, grouped)


class TableAggregateOperator(StoringOperator):
    """Subtracts old values and adds new ones, per group."""

    def __init__(self, node: TableAggregateNode, context: OperatorContext) -> None:
        super().__init__(node, context, every_change=node.changes == "all")
        self._add, self._initial = node.aggregation.add, node.aggregation.initial
        self._subtract = node.subtract
        self._copy: Callable[[Any], Any] | None = copy_of(node.value.known, self._store)

    def apply(self, keys: list[Any], chunk: Chunk) -> None:
        self._fold(keys, chunk, each=False)

    def apply_each(self, keys: list[Any], chunk: Chunk) -> list[Stamped]:
        return self._fold(keys, chunk, each=True)

    def _fold(self, keys: list[bytes], chunk: Chunk, *, each: bool) -> list[Stamped]:
        copy = self._copy
        states: dict[bytes, Any] = self.entries_before(keys)
        if copy is not None:
            states = {key: state and (copy(state[0]), state[1]) for key, state in states.items()}
        results: list[Stamped] = []
        for key, change, timestamp in zip(keys, chunk.values.decoded, chunk.timestamps, strict=True):
            value, newest = states[key] = self._changed(states[key], change, timestamp)
            if value is None:
                states[key] = (None, newest)
            if each:
                results.append((value if copy is None or value is None else copy(value), newest))
        self._store.put_many(states)
        return results

    def _changed(self, old: Stamped | None, change: Change[Any], timestamp: int) -> Stamped:
        state, newest = (None, timestamp) if old is None or old[0] is None else (old[0], max(old[1], timestamp))
        if change.old is not None and state is not None:
            state = self._subtract(state, change.old)
        if change.new is None:
            return state, newest
        if state is not None:
            return self._add(state, change.new), newest
        return (change.new if self._initial is None else self._add(self._initial(), change.new)), newest
