"""Topics in memory: per partition a list of encoded records, and all of a topic in the order of their writing."""

from collections.abc import Mapping
from dataclasses import dataclass

from framework.drivers.partitioner import partition_of
from framework.records import Headers, Records, TopicPartition


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """An encoded record in its place. `sequence` grows over all topics, so it tells which was written first."""

    sequence: int
    tp: TopicPartition
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: Headers | None


class MemoryTopic:
    """One topic; `log` holds its records in the order of their writing."""

    def __init__(self, name: str, partitions: int) -> None:
        self.name = name
        self.log: list[StoredRecord] = []
        self.partitions: list[list[StoredRecord]] = [[] for _ in range(partitions)]
        self._keyless = 0

    def place(self, key: bytes | None) -> int:
        """The partition of a new record; records without key go round."""
        count = len(self.partitions)
        if count == 1:
            return 0
        if key is not None:
            return partition_of(key, count)
        self._keyless += 1
        return (self._keyless - 1) % count


class MemoryTopics:
    """All topics of an app by name."""

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self._topics: dict[str, MemoryTopic] = {}
        self._sequence = 0
        self._first: dict[TopicPartition, int] = {}
        self.add(partitions)

    def add(self, partitions: Mapping[str, int]) -> None:
        """Make the topics that are not there yet."""
        for name, count in partitions.items():
            if name not in self._topics:
                self._topics[name] = MemoryTopic(name, count)

    def partitions(self) -> dict[str, int]:
        """How many partitions each topic has."""
        return {name: len(topic.partitions) for name, topic in self._topics.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._topics

    def __getitem__(self, name: str) -> MemoryTopic:
        return self._topics[name]

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        timestamp_ms: int,
        headers: Headers | None = None,
        partition: int | None = None,
    ) -> StoredRecord:
        """Write one record; the partition follows from the key unless given."""
        written = self._topics[topic]
        if partition is None:
            partition = written.place(key)
        rows = written.partitions[partition]
        tp = TopicPartition(topic, partition)
        record = StoredRecord(self._sequence, tp, len(rows), key, value, timestamp_ms, headers)
        self._sequence += 1
        rows.append(record)
        written.log.append(record)
        return record

    def after(self, tp: TopicPartition, offset: int) -> list[StoredRecord]:
        """The records of a partition from this offset on."""
        return self._topics[tp.topic].partitions[tp.partition][max(offset, self._first.get(tp, 0)) :]

    def delete_before(self, tp: TopicPartition, offset: int) -> None:
        """`after` gives the records of a partition before this offset no more."""
        self._first[tp] = max(offset, self._first.get(tp, 0))


def records_of(stored: list[StoredRecord]) -> Records:
    """What a task takes in; at least one record, all of one partition, offsets ascending."""
    headers = [record.headers or None for record in stored]
    return Records(
        [record.key for record in stored],
        [record.value for record in stored],
        [record.timestamp_ms for record in stored],
        [record.offset for record in stored],
        headers if any(headers) else None,
    )
