"""What the consumer gives, sorted by task and cut into chunks.

A task with one input gets its records as they come. One with several gets them in the order of their timestamps, by way
of a buffer; an input that fills its buffer while others are waited for is paused.

Trap: a batch that `consume` returns can hold records of partitions that were just revoked; they have no owner here.
"""

import logging
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from framework.records import Records, TopicPartition
from framework.runtime import kafka
from framework.runtime.buffer import Batch, RecordBuffer
from framework.runtime.runs import by_partition
from framework.runtime.task import Task
from state.keys import MAX_TIME

log = logging.getLogger("penstock.worker")

_FULL_CHUNKS = 4


class Intake:
    """Reads for the tasks that are attached.

    Args:
        consumer: the member of the group.
        topics: all topics that the app reads.
        chunk_records: the most records of one chunk.
        max_idle_ms: how long the inputs of a task wait for one that has nothing more.
    """

    def __init__(
        self, consumer: kafka.Consumer, topics: Sequence[str], *, chunk_records: int, max_idle_ms: int = 0
    ) -> None:
        self._consumer, self._chunk_records, self._max_idle_ms = consumer, chunk_records, max_idle_ms
        self._sole_topic = topics[0] if len(topics) == 1 else None
        self._owners: dict[TopicPartition, Task] = {}
        self._inputs: dict[Task, Sequence[TopicPartition]] = {}
        self._buffers: dict[Task, RecordBuffer] = {}
        self._paused: set[TopicPartition] = set()
        self._last_seen_ms: dict[TopicPartition, int] = {}
        self._read_to: dict[TopicPartition, int] = {}
        self._ended: dict[TopicPartition, int] = {}  # ends that were told since the last chunks, with their offsets
        self.ends: Mapping[TopicPartition, int] = {}  # what `has_all` goes by
        self.limits: Mapping[TopicPartition, int] = {}  # records from there on are not wanted

    def attach(self, task: Task, inputs: Sequence[TopicPartition], now_ms: int) -> None:
        """Take records for a task from now on."""
        # Trap: the client remembers a pause beyond the assignment it was made for.
        if paused := self._paused.intersection(inputs):
            self._consumer.resume([kafka.TopicPartition(*tp) for tp in paused])
            self._paused -= paused
        self._owners.update(dict.fromkeys(inputs, task))
        self._inputs[task] = inputs
        self._last_seen_ms.update(dict.fromkeys(inputs, now_ms))
        if len(inputs) > 1:
            self._buffers[task] = RecordBuffer(inputs, self._max_idle_ms, task.sub.first_topics)

    def detach(self, tasks: Sequence[Task]) -> list[TopicPartition]:
        """Take no more records for these tasks, and forget what waits; the inputs that were read for them."""
        inputs = [tp for task in tasks for tp in self._inputs.pop(task, ())]
        for tp in inputs:
            del self._owners[tp], self._last_seen_ms[tp]
            self._read_to.pop(tp, None)
            self._ended.pop(tp, None)
        for task in tasks:
            self._buffers.pop(task, None)
        return inputs

    @property
    def is_waiting(self) -> bool:
        """True if records at hand wait for another input."""
        return any(map(len, self._buffers.values()))

    def has_all(self, task: Task) -> bool:
        """True if the task was given all records before the ends of its inputs."""
        if self._buffers.get(task):
            return False
        return all(self._read_to.get(tp, -1) >= self.ends.get(tp, MAX_TIME) for tp in self._inputs[task])

    def idle_since_ms(self, task: Task) -> int:
        """When the task last got a record, or began."""
        return max(self._last_seen_ms[tp] for tp in self._inputs[task])

    def poll(self, timeout_s: float) -> list[kafka.Message]:
        """What is there, after waiting for it at most so long; rebalance callbacks run in here.

        Raises:
            StreamError: the client cannot go on.
        """
        try:
            first = self._consumer.poll(timeout_s)
            # Reason: consume() waits for all it is asked for; what is there already it gives at once.
            messages = [first, *self._consumer.consume(self._chunk_records, 0)] if first is not None else []
        except kafka.KafkaException as error:
            raise kafka.translate(error.args[0], "poll") from error
        if any(map(kafka.Message.error, messages)):
            messages = [message for message in messages if self._is_record(message)]
        return messages

    def chunks(self, messages: Sequence[kafka.Message], now_ms: int) -> Iterator[tuple[Task, Batch]]:
        """The next chunk of each task that has one."""
        ended, self._ended = self._ended, {}
        for tp, part in by_partition(messages, sole_topic=self._sole_topic).items():
            task = self._owners.get(tp)
            if task is None:
                continue
            self._last_seen_ms[tp] = now_ms
            records = _records(part)
            next_offset = records.offsets[-1] + 1
            self._read_to[tp] = max(self._read_to.get(tp, 0), next_offset)
            records = _before(records, self.limits.get(tp, MAX_TIME))
            if not len(records):
                continue
            if task not in self._buffers:
                yield task, [(tp, records, range(len(records)))]
                continue
            self._buffers[task].add(tp, task.timed(tp, records))
            if next_offset >= min(self._known_end(tp), self.limits.get(tp, MAX_TIME)):
                ended[tp] = next_offset
            elif ended.get(tp, next_offset) < next_offset:
                # Trap: an end is told among the records, so it may lie before some of them.
                del ended[tp]
        for tp in ended:
            if (task := self._owners.get(tp)) in self._buffers:
                self._buffers[task].drained(tp)
        for task, buffer in list(self._buffers.items()):
            while task in self._buffers and (batch := buffer.take(self._chunk_records, now_ms)):
                yield task, batch
            self._regulate(task, buffer)

    def _is_record(self, message: kafka.Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == kafka.KafkaError._PARTITION_EOF:
            tp = TopicPartition(message.topic() or "", message.partition() or 0)
            task = self._owners.get(tp)
            if task is not None:
                self._read_to[tp] = self._ended[tp] = message.offset() or 0
            return False
        if error.fatal() or error.code() in kafka.FINAL_ERRORS:
            raise kafka.translate(error, "poll")
        log.warning("poll: %s: %s", error.name(), error.str())
        return False

    def _known_end(self, tp: TopicPartition) -> int:
        """The end of a partition when it was last fetched from; that of a transaction's marker is told by an event."""
        _, end = self._consumer.get_watermark_offsets(kafka.TopicPartition(*tp), cached=True)
        return end if end >= 0 else MAX_TIME

    def _regulate(self, task: Task, buffer: RecordBuffer) -> None:
        """Pause the inputs that have more waiting than is wanted, resume those that have less."""
        full = self._chunk_records * _FULL_CHUNKS
        for tp in self._inputs.get(task, ()):
            count = buffer.count(tp)
            if count >= full and tp not in self._paused:
                self._consumer.pause([kafka.TopicPartition(*tp)])
                self._paused.add(tp)
            elif count < full // 2 and tp in self._paused:
                self._consumer.resume([kafka.TopicPartition(*tp)])
                self._paused.discard(tp)


def _before(records: Records, end: int) -> Records:
    if records.offsets[-1] < end:
        return records
    return records.slice(0, bisect_left(records.offsets, end))


def _records(messages: Sequence[kafka.Message]) -> Records:
    """The messages of one partition as lists; maps of methods cost less than comprehensions that call them."""
    message = kafka.Message
    headers = list(map(message.headers, messages))
    first, last = messages[0].offset() or 0, messages[-1].offset() or 0
    is_gapless = last - first + 1 == len(messages)  # offsets ascend
    return Records(
        list(map(message.key, messages)),
        list(map(message.value, messages)),
        [timestamp for _, timestamp in map(message.timestamp, messages)],
        range(first, last + 1) if is_gapless else list(map(message.offset, messages)),  # type: ignore[arg-type]  # no error
        headers if any(headers) else None,  # type: ignore[arg-type]
    )
