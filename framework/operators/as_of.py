"""A table as a join sees it: as of the place of a record in the order of the input.

When a join runs, the base of the table has applied all its changes of this pass, and has told each of them. So what the
table was before them is the old entry of the first change of a key, or what the store holds if the key did not change;
from there the join follows the changes in their order.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from framework.chunk import Chunk
from framework.operators.base import OperatorContext
from framework.plan.tables import TableRef
from state import KeyValueStore

Entry = tuple[Any, int]


class TableSide:
    """The table of a `TableRef`; entries are (value as the view gives it, timestamp in ms)."""

    def __init__(self, ref: TableRef, context: OperatorContext) -> None:
        self.store: KeyValueStore[Any] = context.stores[ref.base.name]
        self.view, self.key_serde = ref.view, self.store.spec.key_serde

    def now(self, keys: Iterable[bytes]) -> dict[bytes, Entry | None]:
        """The entries of these keys after all changes so far."""
        distinct = dict.fromkeys(keys)
        if not self.view:
            entries = self.store.get_many(distinct)
            return {
                key: None if entry is None or entry[0] is None else entry
                for key, entry in zip(distinct, entries, strict=True)
            }
        return {key: self.viewed(entry) for key, entry in zip(distinct, self.store.get_many(distinct), strict=True)}

    def before(self, keys: Iterable[bytes], changes: Chunk | None) -> dict[bytes, Entry | None]:
        """The entries of these keys, and of those that change, before these changes."""
        if changes is None:
            return self.now(keys)
        firsts: dict[bytes, Entry | None] = {}
        for key, old in zip(self.keys_of(changes), changes.olds or (), strict=True):
            firsts.setdefault(key, old)
        found = self.now([key for key in keys if key not in firsts])
        found.update({key: self.viewed(old) for key, old in firsts.items()})
        return found

    def keys_of(self, chunk: Chunk) -> list[Any]:
        """The keys of records as the table's store has them; None stays."""
        return chunk.keys.encoded(self.key_serde)

    def viewed(self, entry: Entry | None) -> Entry | None:
        """An entry of the base as it is in the table; None if it is not."""
        if entry is None or entry[0] is None:
            return None
        if not self.view:
            return entry
        value = self.view(entry[0])
        return None if value is None else (value, entry[1])


def interleaved(chunks: Sequence[Chunk | None]) -> Iterator[tuple[int, int]]:
    """Which chunk, and which of its records, in the order of the input; chunk by chunk where that is not known."""
    rows = [
        (chunk.order[i] if chunk.order is not None else 0, which, i)
        for which, chunk in enumerate(chunks)
        if chunk is not None
        for i in range(len(chunk))
    ]
    rows.sort()
    for _, which, i in rows:
        yield which, i
