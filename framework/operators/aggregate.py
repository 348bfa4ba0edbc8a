"""One value per key: `fold` by the user's function, and `count`, which needs none.

Records without key or value are skipped and counted. The timestamp of a result is the greatest of those of its
records. With `changes="latest"` results wait for the flush before the commit, where only the last one of each key goes
on; with `"all"` each goes on at once.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from framework.chunk import Chunk, Column
from framework.operators.base import FlushingOperator, Inputs, Operator, OperatorContext, empty_chunk, merged
from framework.operators.mutability import is_immutable
from framework.plan.nodes import AggregateNode, Aggregation, Node
from framework.plan.tables import EACH_CHANGE
from framework.plan.types import UNKNOWN, TypeRef
from state import KeyValueStore

Stamped = tuple[Any, int]


class ResultsOperator(FlushingOperator):
    """A step whose results are the values of its store, as tuples (value, timestamp in ms)."""

    def __init__(
        self,
        node: Node,
        context: OperatorContext,
        *,
        every_change: bool,
        is_complete: bool = False,
        result: Callable[[Any], Any] | None = None,
    ) -> None:
        self._name, self._is_complete, self._result = node.name, is_complete, result
        self._every_change = (every_change or context.every_change) and not is_complete
        self._with_olds = node in context.with_olds
        self._tells_each = EACH_CHANGE in context.outputs.get(node, ())
        self._store: KeyValueStore[Stamped] = context.stores[node.name]
        self._key_serde, self._dropped = self._store.spec.key_serde, context.dropped

    def flush(self) -> Chunk:
        if self._every_change:
            return empty_chunk()
        changed = self._store.changed()
        if self._is_complete and changed:
            changed = dict(self._store.scan())
        keys: list[Any] = list(changed)
        return Chunk(
            Column(None, keys, self._key_serde),
            Column(results_of(changed.values(), self._result)),
            [timestamp for _, timestamp in changed.values()],
            olds=results_of(self._store.settled(keys), self._result) if self._with_olds else None,
        )

    def told(
        self, keys: list[Any], results: list[Stamped], order: list[int] | None, before: dict[bytes, Stamped | None]
    ) -> Sequence[Chunk]:
        """The outputs that tell of results the store holds by now: those of `every_change`, and each.

        Args:
            keys: encoded, of each result.
            results: in the order they came about.
            order: their places.
            before: the entry of each key before the first of them; may be empty if nobody asks for old values.
        """
        olds = olds_of(keys, results, before) if self._with_olds or self._tells_each else []
        column = Column(None, keys, self._key_serde)
        values, timestamps = Column([value for value, _ in results]), [timestamp for _, timestamp in results]
        main = empty_chunk()
        if self._every_change:
            old_values = [None if old is None else old[0] for old in olds] if self._with_olds else None
            main = Chunk(column, values, timestamps, None, order, old_values)
        if not self._tells_each:
            return (main,)
        return main, Chunk(column, values, timestamps, None, order, olds)

    def entries_before(self, keys: list[Any]) -> dict[bytes, Stamped | None]:
        """The entries of these keys now; a deleted one is none."""
        distinct = dict.fromkeys(keys)
        return {
            key: None if entry is None or entry[0] is None else entry
            for key, entry in zip(distinct, self._store.get_many(distinct), strict=True)
        }


class StoringOperator(Operator, ResultsOperator):
    """A step whose results follow from the records of one input."""

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        chunk = merged(inputs)
        if not self._tells_each:
            return (self.process(chunk),)
        kept = self._kept(chunk)
        if not len(kept):
            return (empty_chunk(),)
        keys: list[Any] = kept.keys.encoded(self._key_serde)
        before = self._shown_before(keys)
        return self.told(keys, self.apply_each(keys, kept), kept.order, before)

    def process(self, chunk: Chunk) -> Chunk:
        kept = self._kept(chunk)
        if not len(kept):
            return empty_chunk()
        keys: list[Any] = kept.keys.encoded(self._key_serde)
        if not self._every_change:
            self.apply(keys, kept)
            return empty_chunk()
        before = self._shown_before(keys) if self._with_olds else {}
        return self.told(keys, self.apply_each(keys, kept), kept.order, before)[0]

    def _shown_before(self, keys: list[Any]) -> dict[bytes, Stamped | None]:
        before, result = self.entries_before(keys), self._result
        if result is None:
            return before
        return {key: None if entry is None else (result(entry[0]), entry[1]) for key, entry in before.items()}

    def _kept(self, chunk: Chunk) -> Chunk:
        kept = self.keep(chunk)
        if len(kept) < len(chunk):
            self._dropped[self._name, "null key or value"] += len(chunk) - len(kept)
        return kept

    def keep(self, chunk: Chunk) -> Chunk:
        """The records that count."""
        return chunk.present()

    @abstractmethod
    def apply(self, keys: list[Any], chunk: Chunk) -> None:
        """Change the store by these records; keys are never None."""

    @abstractmethod
    def apply_each(self, keys: list[Any], chunk: Chunk) -> list[Stamped]:
        """The same, with the result after each record."""


class CountOperator(StoringOperator):
    """Counts records per key without decoding anything."""

    def apply(self, keys: list[Any], chunk: Chunk) -> None:
        count(self._store, keys, chunk.timestamps)

    def apply_each(self, keys: list[Any], chunk: Chunk) -> list[Stamped]:
        return count_each(self._store, keys, chunk.timestamps)


class FoldOperator(StoringOperator):
    """Folds the values of each key by the user's function."""

    def __init__(self, node: AggregateNode, context: OperatorContext) -> None:
        aggregation = node.aggregation
        super().__init__(
            node,
            context,
            every_change=node.changes == "all",
            is_complete=node.emit == "complete",
            result=aggregation.result,
        )
        self._add, self._initial = aggregation.add, aggregation.initial
        self._copy = state_copier(aggregation, node.value)

    def apply(self, keys: list[Any], chunk: Chunk) -> None:
        fold(self._store, keys, chunk.values.decoded, chunk.timestamps, self._add, self._initial, self._copy)

    def apply_each(self, keys: list[Any], chunk: Chunk) -> list[Stamped]:
        return fold(
            self._store,
            keys,
            chunk.values.decoded,
            chunk.timestamps,
            self._add,
            self._initial,
            self._copy,
            each=True,
            result=self._result,
        )


class TableOperator(StoringOperator):
    """Keeps the latest value of each key, by offset; null deletes."""

    def keep(self, chunk: Chunk) -> Chunk:
        return chunk.select(chunk.keys.is_present()) if chunk.keys.has_none() else chunk

    def apply(self, keys: list[Any], chunk: Chunk) -> None:
        self._store.put_many(dict(zip(keys, zip(chunk.values.decoded, chunk.timestamps, strict=True), strict=True)))

    def apply_each(self, keys: list[Any], chunk: Chunk) -> list[Stamped]:
        self.apply(keys, chunk)
        return list(zip(chunk.values.decoded, chunk.timestamps, strict=True))


def build_aggregate(node: AggregateNode, context: OperatorContext) -> StoringOperator:
    aggregation: Aggregation = node.aggregation
    if aggregation.kind == "count":
        every_change, is_complete = node.changes == "all", node.emit == "complete"
        return CountOperator(node, context, every_change=every_change, is_complete=is_complete)
    return FoldOperator(node, context)


def copy_of(known: object, store: KeyValueStore[Any]) -> Callable[[Any], Any] | None:
    """What copies a state of this type before a function gets it; None if it cannot change in place."""
    # Reason: a function may change the state it is given; what is committed, or may be undone, must not change.
    if known is not UNKNOWN and is_immutable(known):
        return None
    serde = store.spec.value_serde
    return lambda value: serde.deserialize(serde.serialize(value))


def state_copier(aggregation: Aggregation, value: TypeRef) -> Callable[[Any], Any] | None:
    """Copies a state; None if states cannot change in place.

    Reason: a function may change the state it is given; what is committed, or may be undone, must not change.
    """
    if aggregation.copy is not None:
        return aggregation.copy
    known = (aggregation.state or value).known
    if known is not UNKNOWN and is_immutable(known):
        return None
    serde = aggregation.state_serde(value)
    return lambda state: serde.deserialize(serde.serialize(state))


def results_of(entries: Iterable[Stamped | None], result: Callable[[Any], Any] | None) -> list[Any]:
    """What goes downstream for stored entries; None for a deleted key and for one that is not there."""
    if result is None:
        return [None if entry is None else entry[0] for entry in entries]
    return [None if entry is None or entry[0] is None else result(entry[0]) for entry in entries]


def count(store: KeyValueStore[Stamped], keys: list[bytes], timestamps: list[int]) -> None:
    """Count keys in the store."""
    counts = Counter(keys)
    newest = newest_of(keys, timestamps)
    # Invariant: both dicts list the keys in the order of their first record.
    store.put_many(
        {
            key: (n, timestamp)
            if old is None or old[0] is None
            else (n + old[0], timestamp if timestamp > old[1] else old[1])
            for (key, n), timestamp, old in zip(counts.items(), newest.values(), store.get_many(counts), strict=True)
        }
    )


def count_each(store: KeyValueStore[Stamped], keys: list[bytes], timestamps: list[int]) -> list[Stamped]:
    """The same, with the count after each record."""
    return fold(store, keys, timestamps, timestamps, _count_up, int, each=True)


def fold(
    store: KeyValueStore[Stamped],
    keys: list[bytes],
    values: Iterable[Any],
    timestamps: list[int],
    add: Callable[[Any, Any], Any],
    initial: Callable[[], Any] | None,
    copy: Callable[[Any], Any] | None = None,
    *,
    each: bool = False,
    result: Callable[[Any], Any] | None = None,
) -> list[Stamped]:
    """Fold values into the store, key by key; the results after each record if asked for, else nothing.

    A deleted key is one whose value is None; it starts anew, its timestamp too.
    """
    distinct = dict.fromkeys(keys)
    olds = store.get_many(distinct)
    if copy is not None:
        olds = [old if old is None or old[0] is None else (copy(old[0]), old[1]) for old in olds]
    states: dict[bytes, Any] = dict(zip(distinct, olds, strict=True))
    results: list[Stamped] = []
    view = result or copy
    for key, value, timestamp in zip(keys, values, timestamps, strict=True):
        old = states[key]
        newest = timestamp
        if old is not None and old[0] is not None:
            state = add(old[0], value)
            if old[1] > timestamp:
                newest = old[1]
        elif initial is not None:
            state = add(initial(), value)
        else:
            # Reason: other steps have the same value, and with hopping windows other states; none may see it change.
            state = value if copy is None else copy(value)
        states[key] = (state, newest)
        if each:
            results.append((state if view is None or state is None else view(state), newest))
    store.put_many(states)
    return results


def olds_of(keys: list[Any], results: list[Stamped], before: dict[bytes, Stamped | None]) -> list[Stamped | None]:
    """The entry that each result replaces; `before` has the entry of each key before the first."""
    olds = []
    for key, result in zip(keys, results, strict=True):
        olds.append(before[key])
        before[key] = None if result[0] is None else result
    return olds


def newest_of(keys: list[bytes], timestamps: list[int]) -> dict[bytes, int]:
    """The greatest timestamp of each key, keys in the order of their first record."""
    if timestamps == sorted(timestamps):
        return dict(zip(keys, timestamps, strict=True))
    newest: dict[bytes, int] = {}
    for key, timestamp in zip(keys, timestamps, strict=True):
        if newest.setdefault(key, timestamp) < timestamp:
            newest[key] = timestamp
    return newest


def _count_up(count: int, _: object) -> int:
    return count + 1
