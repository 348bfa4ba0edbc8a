"""Lets the first n records of each key in each period of event time pass; the others are dropped and counted."""

from typing import Any

from framework.chunk import Chunk
from framework.operators.base import Operator, OperatorContext
from framework.plan.limits import LimitNode, since_bytes
from framework.plan.topics import serde_for
from state import KeyValueStore
from state.keys import segment_of


class LimitOperator(Operator):
    """A period [start, start + length) is closed when its end + grace <= stream time; its records are late then."""

    def __init__(self, node: LimitNode, context: OperatorContext) -> None:
        self._name, self._limit = node.name, node.limit
        self._period_ms, self._grace_ms = node.period_ms, node.grace_ms
        self._key_serde = None if node.key.known in (None, type(None)) else serde_for(node.key.known)
        self._dropped = context.dropped
        self._store: KeyValueStore[tuple[Any, int]] = context.stores[node.name]

    def process(self, chunk: Chunk) -> Chunk:
        keys: list[bytes | None] = [None] * len(chunk)
        if self._key_serde is not None:
            keys = chunk.keys.encoded(self._key_serde)
        places = [
            since_bytes(segment_of(timestamp, self._period_ms), key)
            for key, timestamp in zip(keys, chunk.timestamps, strict=True)
        ]
        distinct = dict.fromkeys(places)
        stored = zip(distinct, self._store.get_many(distinct), strict=True)
        counts = {place: entry if entry is not None and entry[0] is not None else (0, -1) for place, entry in stored}
        now, flags, changed = self._store.clock_ms, [], {}
        for place, timestamp in zip(places, chunk.timestamps, strict=True):
            now = max(now, timestamp)
            count, newest = counts[place]
            flag = False
            if segment_of(timestamp, self._period_ms) + self._period_ms + self._grace_ms <= now:
                self._dropped[self._name, "late"] += 1
            elif count >= self._limit:
                self._dropped[self._name, "over the limit"] += 1
            else:
                flag = True
                counts[place] = changed[place] = (count + 1, max(newest, timestamp))
            flags.append(flag)
        self._store.put_many(changed)
        self._store.clock_ms = now
        return chunk.select(flags)
