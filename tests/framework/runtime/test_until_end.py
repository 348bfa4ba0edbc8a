"""A run to the end, without a broker."""

from typing import Any

from framework import App, Stream
from framework.plan.partitions import lay_out
from framework.records import TopicPartition
from framework.runtime.kafka import KafkaError, KafkaException
from framework.runtime.kafka import TopicPartition as Place
from framework.runtime.until_end import UntilEnd


class NotYetLed:
    """A consumer of topics that were made just now: the first call for each partition is refused."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def get_watermark_offsets(self, place: Place, timeout: float) -> tuple[int, int]:
        self.asked.append(place.partition)
        if self.asked.count(place.partition) == 1:
            raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
        return 0, 10 + place.partition


def test_end_of_a_partition_that_is_not_led_yet_is_asked_for_again() -> None:
    app = App("until-end")
    words = app.topic("words", value=str)

    @app.topology(words)
    def read(words: Stream[None, str]) -> None:
        words.for_each(len)

    consumer: Any = NotYetLed()
    found = UntilEnd(lay_out(app.plan(), {"words": 2}), consumer)
    assert found.ends == {TopicPartition("words", 0): 10, TopicPartition("words", 1): 11}
