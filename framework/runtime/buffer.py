"""The order of several inputs of one task: the head record with the smallest timestamp goes first.

Records of one partition never overtake each other, so one with a small timestamp behind one with a great one waits for
it. Equal timestamps: the input declared first. An input without records holds the others up only while it may still get
some: until the broker has no more (`drained`), and then for `max_idle_ms` more.

Inputs that go first are taken whatever their timestamps; nothing else is while the broker has more of them.
"""

from collections.abc import Collection, Iterator, Sequence

from framework.records import Records, TopicPartition

Batch = list[tuple[TopicPartition, Records, Sequence[int]]]


class RecordBuffer:
    """Queues of the inputs of one task.

    Args:
        inputs: in the order that decides between equal timestamps.
        max_idle_ms: how long the records at hand wait for an input that is drained.
        first_topics: the topics of the inputs that go first.
    """

    def __init__(
        self, inputs: Sequence[TopicPartition], max_idle_ms: int = 0, first_topics: Collection[str] = ()
    ) -> None:
        self._queues: dict[TopicPartition, Records] = {tp: Records([], [], [], []) for tp in inputs}
        self._first = [tp for tp in inputs if tp.topic in first_topics]
        self._others = [tp for tp in inputs if tp.topic not in first_topics]
        self._drained: set[TopicPartition] = set()
        self._max_idle_ms = max_idle_ms
        self._idle_since_ms: int | None = None

    def add(self, tp: TopicPartition, records: Records) -> None:
        """Put records at the end of their queue; their timestamps are those that decide."""
        self._queues[tp] = self._queues[tp].joined(records)
        self._drained.discard(tp)

    def drained(self, tp: TopicPartition) -> None:
        """The broker has no more of this input now."""
        self._drained.add(tp)

    def count(self, tp: TopicPartition) -> int:
        """How many records of an input wait."""
        return len(self._queues[tp])

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))

    def take(self, limit: int, now_ms: int) -> Batch:
        """The next records, at most so many: by input, with their places in the order of all.

        Empty while an input must be waited for.
        """
        for tp in self._first:
            if count := len(self._queues[tp]):
                return [self._pop(tp, range(min(limit, count)))]
        if not self._drained.issuperset(self._first):
            return []
        queues = [(tp, queue) for tp in self._others if len(queue := self._queues[tp])]
        if not queues:
            self._idle_since_ms = None
            return []
        if len(self._others) == 1:
            return [self._pop(queues[0][0], range(min(limit, len(queues[0][1]))))]
        ranks = [_ranks(queue.timestamps[:limit]) for _, queue in queues]
        # Reason: sorting by the greatest timestamp so far is comparing heads; it is stable, so queues stay in order.
        merged = sorted(
            ((rank, i) for i, ranked in enumerate(ranks) for rank in ranked),
            key=lambda entry: entry[0],
        )[:limit]
        count = self._ready_count(merged, queues, ranks, now_ms)
        places: dict[int, list[int]] = {}
        for place, (_, i) in enumerate(merged[:count]):
            places.setdefault(i, []).append(place)
        return [self._pop(queues[i][0], order) for i, order in places.items()]

    def _ready_count(
        self,
        merged: list[tuple[int, int]],
        queues: Sequence[tuple[TopicPartition, Records]],
        ranks: Sequence[Sequence[int]],
        now_ms: int,
    ) -> int:
        """How many of the merged records may go: those before an input runs out that may get more."""
        awaited = {tp for tp in self._others if tp not in self._drained or self._max_idle_ms}
        if all(len(self._queues[tp]) for tp in self._others):
            self._idle_since_ms = None
        elif awaited_now := {tp for tp in awaited if not len(self._queues[tp])}:
            if awaited_now - self._drained:
                return 0
            if self._idle_since_ms is None:
                self._idle_since_ms = now_ms
            if now_ms - self._idle_since_ms < self._max_idle_ms:
                return 0
            return len(merged)
        left = {i: len(ranked) for i, ranked in enumerate(ranks) if queues[i][0] in awaited}
        whole = {i: len(queue) == len(ranks[i]) for i, (_, queue) in enumerate(queues)}
        for count, (_, i) in enumerate(merged, start=1):
            if i in left:
                left[i] -= 1
                if not left[i] and whole[i]:
                    return count
        return len(merged)

    def _pop(self, tp: TopicPartition, order: Sequence[int]) -> tuple[TopicPartition, Records, Sequence[int]]:
        """As many records from the head of a queue as there are places for them."""
        queue = self._queues[tp]
        self._queues[tp] = queue.slice(len(order), len(queue))
        return tp, queue.slice(0, len(order)), order


def _ranks(timestamps: Sequence[int]) -> list[int]:
    greatest, ranks = -1, []
    for timestamp in timestamps:
        greatest = max(greatest, timestamp)
        ranks.append(greatest)
    return ranks


def one_by_one(batch: Batch) -> Iterator[tuple[TopicPartition, Records, Sequence[int]]]:
    """Each record of a batch, in the order of their places."""
    places = sorted((place, b, i) for b, (_, _, order) in enumerate(batch) for i, place in enumerate(order))
    for place, b, i in places:
        tp, records, _ = batch[b]
        yield tp, records.slice(i, i + 1), (place,)
