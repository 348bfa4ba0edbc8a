"""Joins of tables by a foreign key; the four steps are drawn in `plan/foreign_keys.py`.

What a left row's change asks for:

| instruction | when | subscription | answer |
|---|---|---|---|
| if there | new, inner | kept | the right row, if there is one |
| always | new, left; or its foreign key or value has changed | kept | the right row or null |
| leave | its foreign key has changed, to the old one | removed | none |
| leave and answer | deleted, inner | removed | null |

An answer carries the digest of the left value that asked. If the left row has another value by then, the answer is
stale and discarded; the newer value has asked too. A digest is of the value as the left table's type writes it.

Source: Kafka Streams foreign-key joins (KIP-213); cases FKJ in tests/vectors/streams.yaml. Beyond it: a row whose
foreign key becomes null leaves an inner join.
"""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

from framework.chunk import Chunk, Column
from framework.operators.aggregate import ResultsOperator, Stamped
from framework.operators.as_of import TableSide, interleaved
from framework.operators.base import Inputs, JoiningOperator, Operator, OperatorContext, empty_chunk
from framework.plan.foreign_keys import ForeignJoinNode, SubscribeNode, SubscriptionsNode
from framework.plan.topics import serde_for
from serde import Serde
from serde.parts import Response, Subscription, subscriber_prefix
from state import KeyValueStore

IF_THERE, ALWAYS, LEAVE, LEAVE_AND_ANSWER = "if there", "always", "leave", "leave and answer"
_DIGEST_BYTES = 16


def digest_of(value: Any, serde: Serde[Any]) -> bytes | None:
    """Tells one value of a left row from another; None for none."""
    return None if value is None else blake2b(serde.serialize(value), digest_size=_DIGEST_BYTES).digest()


class SubscribeOperator(Operator):
    """Changes of left rows to subscriptions."""

    def __init__(self, node: SubscribeNode, context: OperatorContext) -> None:
        self._name, self._dropped = node.name, context.dropped
        self._is_left, self._foreign_key = node.kind == "left", node.foreign_key
        self._serde = serde_for(node.row.known)

    def process(self, chunk: Chunk) -> Chunk:
        olds = chunk.olds if chunk.olds is not None else [None] * len(chunk)
        rows = [
            (place, foreign_key, Subscription(key, digest_of(new, self._serde), instruction))
            for place, (key, new, old) in enumerate(zip(chunk.keys.decoded, chunk.values.decoded, olds, strict=True))
            for foreign_key, instruction in self._instructions(new, old)
        ]
        taken = chunk.take([place for place, _, _ in rows])
        return taken.with_keys([key for _, key, _ in rows]).with_values([value for _, _, value in rows])

    def _instructions(self, new: Any, old: Any) -> list[tuple[Any, str]]:
        """Foreign keys and what to ask of them."""
        if new is None and old is None:
            return []
        before = None if old is None else self._foreign_key(old)
        now = None if new is None else self._foreign_key(new)
        if self._is_left:
            # Reason: only the new foreign key answers. Answers of two right partitions come in any order, and a null of
            # the old one would replace the row of the new one. A deleted row is answered too, by the null key.
            left = [(before, LEAVE)] if before is not None and before != now else []
            return [*left, (now, ALWAYS)]
        if now is None:
            if before is None:
                self._dropped[self._name, "null foreign key"] += 1
                return []
            return [(before, LEAVE_AND_ANSWER)]
        if before is None:
            return [(now, IF_THERE)]
        return [(before, LEAVE), (now, ALWAYS)] if before != now else [(now, ALWAYS)]


class SubscriptionsOperator(JoiningOperator):
    """Keeps subscriptions, and answers them."""

    def __init__(self, node: SubscriptionsNode, context: OperatorContext) -> None:
        self._store: KeyValueStore[Any] = context.stores[node.name]
        self._key_serde = self._store.spec.key_serde.key  # type: ignore[attr-defined]  # a SubscriberSerde
        self._right = TableSide(node.right, context)

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        asked, changed = inputs
        keys = [[] if chunk is None else self._right.keys_of(chunk) for chunk in inputs]
        values = [[] if chunk is None else chunk.values.decoded for chunk in inputs]
        entries = self._right.now([key for key in keys[0] if key is not None])
        answers: list[tuple[bytes, Response[Any], int, int]] = []
        for which, row in interleaved((asked, changed)):
            chunk = inputs[which]
            assert chunk is not None
            key, value, timestamp = keys[which][row], values[which][row], chunk.timestamps[row]
            place = 0 if chunk.order is None else chunk.order[row]
            if which == 0:
                found = self._subscribe(key, value, timestamp, entries)
            else:
                found = self._subscribers(key, value, timestamp)
            answers.extend((to, response, at, place) for to, response, at in found)
        has_order = all(chunk is None or chunk.order is not None for chunk in inputs)
        return (self._answers(answers, has_order=has_order),)

    def _answers(self, answers: list[tuple[bytes, Response[Any], int, int]], *, has_order: bool) -> Chunk:
        return Chunk(
            Column(None, [key for key, _, _, _ in answers], self._key_serde),
            Column([response for _, response, _, _ in answers]),
            [timestamp for _, _, timestamp, _ in answers],
            None,
            [place for _, _, _, place in answers] if has_order else None,
        )

    def _subscribe(
        self, foreign_key: bytes | None, asked: Subscription[Any], timestamp: int, entries: dict[bytes, Any]
    ) -> Iterator[tuple[bytes, Response[Any], int]]:
        key = self._key_serde.serialize(asked.key)
        entry = None
        if foreign_key is not None:
            is_kept = asked.instruction in (IF_THERE, ALWAYS)
            self._store.put(subscriber_prefix(foreign_key) + key, (asked if is_kept else None, timestamp))
            entry = entries[foreign_key]
        newest = timestamp if entry is None else max(timestamp, entry[1])
        if asked.instruction == LEAVE_AND_ANSWER:
            yield key, Response(None, asked.digest), newest
        elif asked.instruction == ALWAYS or (asked.instruction == IF_THERE and entry is not None):
            yield key, Response(None if entry is None else entry[0], asked.digest), newest

    def _subscribers(
        self, foreign_key: bytes | None, value: Any, timestamp: int
    ) -> Iterator[tuple[bytes, Response[Any], int]]:
        if foreign_key is None:
            return
        prefix = subscriber_prefix(foreign_key)
        for slot, (asked, _) in self._store.scan(prefix, _after(prefix)):
            yield slot[len(prefix) :], Response(value, asked.digest), timestamp


def _after(prefix: bytes) -> bytes | None:
    """The first bytes that sort after all that begin so; None: there are none."""
    trimmed = prefix.rstrip(b"\xff")
    return trimmed[:-1] + bytes([trimmed[-1] + 1]) if trimmed else None


class ForeignJoinOperator(JoiningOperator, ResultsOperator):
    """Joins answers with left rows."""

    def __init__(self, node: ForeignJoinNode, context: OperatorContext) -> None:
        super().__init__(node, context, every_change=node.changes == "all")
        self._left, self._serde = TableSide(node.left, context), serde_for(node.row.known)
        self._is_left, self._function = node.kind == "left", node.function

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        answers, _ = inputs
        if answers is None:
            return (empty_chunk(),)
        keys = self._left.keys_of(answers)
        rows = {key: None if entry is None else entry[0] for key, entry in self._left.now(keys).items()}
        digests = {key: digest_of(row, self._serde) for key, row in rows.items()}
        kept: list[int] = []
        results: list[Stamped] = []
        for i, (key, answer) in enumerate(zip(keys, answers.values.decoded, strict=True)):
            if answer.digest != digests[key]:
                self._dropped[self._name, "stale answer"] += 1
                continue
            row = rows[key]
            is_there = row is not None and (answer.value is not None or self._is_left)
            kept.append(i)
            results.append((self._function(row, answer.value) if is_there else None, answers.timestamps[i]))
        kept_keys = [keys[i] for i in kept]
        before = self.entries_before(kept_keys)
        self._store.put_many(dict(zip(kept_keys, results, strict=True)))
        return self.told(
            kept_keys, results, None if answers.order is None else [answers.order[i] for i in kept], before
        )
