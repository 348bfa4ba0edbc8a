"""A table whose newest value goes by timestamp, with its history; what is older than the history is dropped as late."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from framework.chunk import Chunk
from framework.operators.aggregate import ResultsOperator, Stamped
from framework.operators.base import Inputs, OperatorContext, empty_chunk, merged
from framework.plan.tables import EACH_VERSION, VersionedTableNode
from state import KeyValueStore
from state.versioned import Version, VersionedStore, history_name


class VersionPut(NamedTuple):
    """In the output of each version, beside it: what it replaced at its very time, and the clock before it (ms)."""

    replaced: Version | None
    clock_ms: int


class VersionedTableOperator(ResultsOperator):
    """Only changes of the newest values are changes of the table; the others go into its history."""

    def __init__(self, node: VersionedTableNode, context: OperatorContext) -> None:
        super().__init__(node, context, every_change=node.changes == "all")
        history: KeyValueStore[Any] = context.stores[history_name(node.name)]
        self._versions = VersionedStore(self._store, history)
        self._tells_versions = EACH_VERSION in context.outputs.get(node, ())

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        chunk = merged(inputs)
        keyed = chunk.select(chunk.keys.is_present()) if chunk.keys.has_none() else chunk
        self._dropped[self._name, "null key or value"] += len(chunk) - len(keyed)
        if not len(keyed):
            return (empty_chunk(),)
        keys: list[Any] = keyed.keys.encoded(self._key_serde)
        before = self.entries_before(keys)
        newest: list[int] = []
        kept: list[int] = []
        puts: list[VersionPut] = []
        for i, (key, value, timestamp) in enumerate(zip(keys, keyed.values.decoded, keyed.timestamps, strict=True)):
            clock_ms = self._versions.clock_ms
            put = self._versions.put(key, value, timestamp)
            if put == "expired":
                self._dropped[self._name, "late"] += 1
                continue
            kept.append(i)
            puts.append(VersionPut(put.replaced, clock_ms))
            if put.is_latest:
                newest.append(i)
        outputs = self._told_newest(keys, keyed, newest, before)
        if not self._tells_versions:
            return outputs
        versions = keyed.take(kept)
        versions.olds = puts
        return (*outputs, *[empty_chunk()] * (EACH_VERSION - len(outputs)), versions)

    def _told_newest(
        self, keys: list[Any], chunk: Chunk, newest: list[int], before: dict[bytes, Stamped | None]
    ) -> Sequence[Chunk]:
        values = chunk.values.decoded
        order = None if chunk.order is None else [chunk.order[i] for i in newest]
        results = [(values[i], chunk.timestamps[i]) for i in newest]
        return self.told([keys[i] for i in newest], results, order, before)


class VersionedSide:
    """A versioned table as of the place of a record, as of a time: follows the versions put in this pass."""

    def __init__(self, store: VersionedStore) -> None:
        self._store = store
        self._later: dict[bytes, list[tuple[int, VersionPut]]] = {}
        self._clock_ms = -1

    def begin(self, keys: list[Any], versions: Chunk | None) -> None:
        """Go back to before these versions were put; `keys` are theirs."""
        self._later = {}
        self._clock_ms = self._store.clock_ms
        if versions is not None and len(versions):
            assert versions.olds is not None
            self._clock_ms = versions.olds[0].clock_ms
            for key, timestamp, put in zip(keys, versions.timestamps, versions.olds, strict=True):
                self._later.setdefault(key, []).append((timestamp, put))

    def follow(self, key: bytes) -> None:
        """The next version of the key is put."""
        timestamp, _ = self._later[key].pop(0)
        self._clock_ms = max(self._clock_ms, timestamp)

    def get_as_of(self, key: bytes, time_ms: int) -> Any:
        """The value that holds at a time (ms); None if there is none."""
        found = self._visible(key, time_ms)
        if found is None or not self._store.is_out_of_reach(time_ms, self._clock_ms):
            return None if found is None else found.value
        newest = self._visible(key, self._store.clock_ms)
        return found.value if newest is not None and newest.from_ms == found.from_ms else None

    def _visible(self, key: bytes, time_ms: int) -> Version | None:
        """The version at a time among those put so far."""
        later: dict[int, Version | None] = {}
        for timestamp, put in self._later.get(key, ()):
            later.setdefault(timestamp, put.replaced)
        while (begin_ms := self._beginning(key, time_ms, later)) in later:
            if (replaced := later[begin_ms]) is not None:
                return replaced
            time_ms = begin_ms - 1
        return self._store.version_at(key, time_ms)

    def _beginning(self, key: bytes, time_ms: int, later: Iterable[int]) -> int:
        """When what holds at a time began; -1 if that is nothing, and was so before any of the later puts."""
        found = self._store.version_at(key, time_ms)
        if found is not None:
            return found.from_ms
        # Reason: the newest version leaves nothing behind if it is a deletion. It is the last of the later puts unless
        # a version holds at the time of that one, which then ended by a deletion put before.
        last_ms = max((t for t in later if t <= time_ms), default=-1)
        return last_ms if self._store.version_at(key, last_ms) is None else -1
