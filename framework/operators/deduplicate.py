"""Lets the first record of each id pass and drops its repeats for a time.

A record that passed at time p makes those of its id in (p - within, p + within) repeats. A record at or before stream
time - within is late: whether it repeats one is no longer known. So at most one record of an id passes in any
interval of length `within`, and the store needs one entry per id and such interval: look-ups by key, no scans.
"""

from collections.abc import Sequence

from framework.chunk import Chunk, Column
from framework.operators.base import Operator, OperatorContext
from framework.plan.limits import DeduplicateNode, since_bytes
from framework.plan.topics import serde_for
from state import KeyValueStore
from state.keys import segment_of


class DeduplicateOperator(Operator):
    """See the module."""

    def __init__(self, node: DeduplicateNode, context: OperatorContext) -> None:
        self._name, self._function, self._within_ms = node.name, node.function, node.within_ms
        self._id_serde, self._dropped = serde_for(node.id.known), context.dropped
        self._store: KeyValueStore[tuple[bytes | None, int]] = context.stores[node.name]

    def process(self, chunk: Chunk) -> Chunk:
        ids = self._ids(chunk)
        passed = self._passed(ids, chunk.timestamps)
        within, now, changes = self._within_ms, self._store.clock_ms, {}
        flags = []
        for key, timestamp in zip(ids, chunk.timestamps, strict=True):
            now = max(now, timestamp)
            flag = False
            if key is None:
                self._dropped[self._name, "null id"] += 1
            elif timestamp <= now - within:
                self._dropped[self._name, "late"] += 1
            else:
                own = segment_of(timestamp, within)
                near = [passed.get((segment, key)) for segment in (own - within, own, own + within)]
                flag = not any(time is not None and abs(timestamp - time) < within for time in near)
                if flag:
                    passed[own, key] = timestamp
                    changes[since_bytes(own, key)] = (b"", timestamp)
                else:
                    self._dropped[self._name, "repeated"] += 1
            flags.append(flag)
        self._store.put_many(changes)
        self._store.clock_ms = now
        return chunk.select(flags)

    def _ids(self, chunk: Chunk) -> Sequence[bytes | None]:
        if self._function is None:
            return chunk.keys.encoded(self._id_serde)
        values = chunk.values.decoded
        return Column([None if value is None else self._function(value) for value in values]).encoded(self._id_serde)

    def _passed(self, ids: Sequence[bytes | None], timestamps: Sequence[int]) -> dict[tuple[int, bytes], int]:
        """When records of these ids passed around these times (ms), by the start of the interval and id."""
        within = self._within_ms
        wanted = dict.fromkeys(
            (segment, key)
            for key, timestamp in zip(ids, timestamps, strict=True)
            if key is not None
            for segment in _around(segment_of(timestamp, within), within, self._store.clock_ms)
        )
        entries = self._store.get_many([since_bytes(segment, key) for segment, key in wanted])
        return {
            place: entry[1]
            for place, entry in zip(wanted, entries, strict=True)
            if entry is not None and entry[0] is not None
        }


def _around(own_ms: int, within_ms: int, clock_ms: int) -> tuple[int, ...]:
    """The intervals that what is near a time may stand in; none before the epoch, none after stream time."""
    return tuple(start for start in (own_ms - within_ms, own_ms, own_ms + within_ms) if 0 <= start <= clock_ms)
