"""How far a group is with a topic: its committed offsets against the topic's ends."""

from typing import NamedTuple

from framework.runtime import kafka

_TIMEOUT_S = 20.0


class Place(NamedTuple):
    """Sums over the partitions of a topic: offsets the group has committed, and how far the ends are from them."""

    committed: int
    lag: int


class GroupLag:
    """Asks the broker for the offsets of a group, without being a member of it."""

    def __init__(self, bootstrap: str, group: str) -> None:
        self._consumer = kafka.create_consumer(
            {"bootstrap.servers": bootstrap, "group.id": group, "enable.auto.commit": False, "log_level": 2}
        )

    def place(self, topic: str) -> Place:
        """Where the group is in the topic; its whole length is lag if it has committed nothing."""
        found = self._consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
        partitions = [kafka.TopicPartition(topic, number) for number in found.partitions]
        committed = [max(0, p.offset) for p in self._consumer.committed(partitions, timeout=_TIMEOUT_S)]
        ends = [self._consumer.get_watermark_offsets(p, timeout=_TIMEOUT_S)[1] for p in partitions]
        return Place(sum(committed), sum(ends) - sum(committed))

    def close(self) -> None:
        """Give up the connection."""
        self._consumer.close()
