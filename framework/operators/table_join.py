"""Joins two tables by key. A change of either side joins with the other side as it is; timestamps are the greater one.

| kind | a change is passed on when |
|---|---|
| inner | the other side has the key; a deletion then deletes the result |
| left | of the left side: it was or is there, or the right side has the key; of the right side: the left has the key |
| outer | it was or is there, or the other side has the key |

Source: Kafka Streams table joins; cases TTJ in tests/vectors/streams.yaml.
"""

from collections.abc import Sequence
from typing import Any

from framework.chunk import Chunk
from framework.operators.aggregate import ResultsOperator, Stamped
from framework.operators.as_of import Entry, TableSide, interleaved
from framework.operators.base import Inputs, JoiningOperator, OperatorContext, empty_chunk
from framework.plan.tables import TableJoinNode

_LEFT, _RIGHT = 0, 1


class TableJoinOperator(JoiningOperator, ResultsOperator):
    """Its parents tell each change of the left and of the right table."""

    def __init__(self, node: TableJoinNode, context: OperatorContext) -> None:
        super().__init__(node, context, every_change=node.changes == "all")
        self._sides = TableSide(node.left, context), TableSide(node.right, context)
        self._kind, self._function = node.kind, node.function

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        sides = self._sides
        keys = [[] if chunk is None else side.keys_of(chunk) for side, chunk in zip(sides, inputs, strict=True)]
        current = [side.before(keys[1 - i], inputs[i]) for i, side in enumerate(sides)]
        results: list[tuple[bytes, Stamped, int]] = []
        columns = [None if chunk is None else (chunk.values.decoded, chunk.timestamps) for chunk in inputs]
        for i, row in interleaved(inputs):
            column, key = columns[i], keys[i][row]
            assert column is not None
            value, timestamp = column[0][row], column[1][row]
            old = current[i].get(key)
            new = current[i][key] = sides[i].viewed((value, timestamp))
            if sides[i].view and old is None and new is None:
                continue
            result = self._joined(i, old, new, timestamp, current[1 - i].get(key))
            if result is not None:
                results.append((key, result, _place(inputs[i], row)))
        return self._kept_results(results, has_order=all(c is None or c.order is not None for c in inputs))

    def _kept_results(self, results: list[tuple[bytes, Stamped, int]], *, has_order: bool) -> Sequence[Chunk]:
        if not results:
            return (empty_chunk(),)
        keys: list[Any] = [key for key, _, _ in results]
        entries = [entry for _, entry, _ in results]
        before = self.entries_before(keys)
        self._store.put_many(dict(zip(keys, entries, strict=True)))
        return self.told(keys, entries, [place for _, _, place in results] if has_order else None, before)

    def _joined(self, i: int, old: Entry | None, new: Entry | None, timestamp: int, other: Entry | None) -> Any:
        """The result of a change on side i, or None if there is nothing to say."""
        if other is None:
            must_meet = self._kind == "inner" or (self._kind == "left" and i == _RIGHT)
            if must_meet or (old is None and new is None):
                return None
        elif other[1] > timestamp:
            timestamp = other[1]
        is_there = new is not None or (other is not None and (self._kind == "outer" or i == _RIGHT))
        if not is_there or (self._kind == "inner" and new is None):
            return None, timestamp
        mine, theirs = (None if new is None else new[0]), (None if other is None else other[0])
        left, right = (mine, theirs) if i == _LEFT else (theirs, mine)
        return self._function(left, right), timestamp


def _place(chunk: Chunk | None, row: int) -> int:
    return chunk.order[row] if chunk is not None and chunk.order is not None else 0
