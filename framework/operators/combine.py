"""Partial results of a chunk, one for each key, with the newest timestamp of its records.

Records without key or value are skipped, and counted under the step that they were for.
"""

from collections import Counter
from typing import Any

from framework.chunk import Chunk, Column
from framework.operators.aggregate import newest_of, state_copier
from framework.operators.base import Operator, OperatorContext
from framework.plan.combine import CombineNode
from framework.plan.topics import serde_for

_HASHED_BY_VALUE = (str, int, bytes)


class CombineOperator(Operator):
    """See the module; nothing is kept from chunk to chunk."""

    def __init__(self, node: CombineNode, context: OperatorContext) -> None:
        self._aggregation, self._step, self._dropped = node.aggregation, node.step, context.dropped
        self._copy = state_copier(node.aggregation, node.value)
        self._key_serde = serde_for(node.key.known)
        self._is_decoded = node.key.known in _HASHED_BY_VALUE
        # Reason: where each change is told, each record has to arrive.
        self._is_single = context.every_change or node.step in context.told_each

    def process(self, chunk: Chunk) -> Chunk:
        kept = chunk.present()
        if len(kept) < len(chunk):
            self._dropped[self._step, "null key or value"] += len(chunk) - len(kept)
        if not len(kept):
            return kept
        if self._is_single:
            return self._singles(kept)
        # Reason: equal keys have equal bytes, but need not be hashable, nor equal only if their bytes are.
        keys: list[Any] = kept.keys.decoded if self._is_decoded else kept.keys.encoded(self._key_serde)
        newest = newest_of(keys, kept.timestamps)
        partial = self._partial(keys, kept)
        # Invariant: both dicts list the keys in the order of their first record.
        column = Column(list(partial)) if self._is_decoded else Column(None, list(partial), self._key_serde)
        return Chunk(column, Column(list(partial.values())), list(newest.values()))

    def _singles(self, chunk: Chunk) -> Chunk:
        add, initial = self._aggregation.add, self._aggregation.initial
        values = chunk.values
        if initial is not None:
            values = Column([add(initial(), value) for value in values.decoded])
        return Chunk(chunk.keys, values, chunk.timestamps, None, chunk.order)

    def _partial(self, keys: list[Any], chunk: Chunk) -> dict[Any, Any]:
        if self._aggregation.kind == "count":
            return Counter(keys)
        add, initial, copy = self._aggregation.add, self._aggregation.initial, self._copy
        states: dict[Any, Any] = {}
        for key, value in zip(keys, chunk.values.decoded, strict=True):
            if key in states:
                states[key] = add(states[key], value)
            elif initial is not None:
                states[key] = add(initial(), value)
            else:
                # Reason: other steps have the same value, and the function may change the state it is given.
                states[key] = value if copy is None else copy(value)
        return states
