"""The order of several inputs of one task: the head record with the smallest timestamp goes first.

Records of one partition never overtake each other, so one with a small timestamp behind one with a great one waits for
it. Equal timestamps: the input declared first. An input without records holds the others up only while it may still get
some: until the broker has no more (`drained`), and then for `max_idle_ms` more.

Inputs that go first are taken whatever their timestamps; nothing else is while the broker has more of them.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate

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
        turns = _turns([queue.timestamps[:limit] for _, queue in queues])[:limit]
        del turns[self._ready_count(turns, queues, now_ms) :]
        first_come = dict.fromkeys(turns)
        return [self._pop(queues[i][0], [place for place, turn in enumerate(turns) if turn == i]) for i in first_come]

    def _ready_count(self, turns: list[int], queues: Sequence[tuple[TopicPartition, Records]], now_ms: int) -> int:
        """How many of the records may go: those before an input runs out that may get more.

        Args:
            turns: which of the queues each record is from.
            queues: those that have records.
            now_ms: the wall clock.
        """
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
            return len(turns)
        ends = [
            len(turns) - turns[::-1].index(i)
            for i, (tp, queue) in enumerate(queues)
            if tp in awaited and turns.count(i) == len(queue)
        ]
        return min(ends, default=len(turns))

    def _pop(self, tp: TopicPartition, order: Sequence[int]) -> tuple[TopicPartition, Records, Sequence[int]]:
        """As many records from the head of a queue as there are places for them."""
        queue = self._queues[tp]
        self._queues[tp] = queue.slice(len(order), len(queue))
        return tp, queue.slice(0, len(order)), order


def _turns(queues: Sequence[Sequence[int]]) -> list[int]:
    """From which queue each record comes, by their timestamps."""
    # Reason: sorting by the greatest timestamp so far is comparing heads. With the number of the queue in the same
    # integer, equal times go by the order of the queues, and the sort compares nothing but integers.
    count = len(queues)
    ranks = [rank * count + i for i, timestamps in enumerate(queues) for rank in accumulate(timestamps, max)]
    ranks.sort()
    return [rank % count for rank in ranks]


def one_by_one(batch: Batch) -> Iterator[tuple[TopicPartition, Records, Sequence[int]]]:
    """Each record of a batch, in the order of their places."""
    places = sorted((place, b, i) for b, (_, _, order) in enumerate(batch) for i, place in enumerate(order))
    for place, b, i in places:
        tp, records, _ = batch[b]
        yield tp, records.slice(i, i + 1), (place,)
