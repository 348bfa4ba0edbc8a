"""The order of several inputs of one task."""

from framework.records import Records, TopicPartition
from framework.runtime.buffer import RecordBuffer

LEFT, RIGHT = TopicPartition("left", 0), TopicPartition("right", 0)


def records(*timestamps: int) -> Records:
    count = len(timestamps)
    return Records([None] * count, [None] * count, list(timestamps), list(range(count)))


def taken(buffer: RecordBuffer, limit: int = 100, now_ms: int = 0) -> list[tuple[str, int]]:
    batch = buffer.take(limit, now_ms)
    placed = [
        (place, tp.topic, timestamp)
        for tp, part, order in batch
        for place, timestamp in zip(order, part.timestamps, strict=True)
    ]
    return [(topic, timestamp) for _, topic, timestamp in sorted(placed)]


def test_buffer_two_inputs_smallest_head_first() -> None:
    buffer = RecordBuffer([LEFT, RIGHT])
    buffer.add(LEFT, records(1, 4, 6))
    buffer.add(RIGHT, records(2, 3, 9))
    buffer.drained(LEFT)
    buffer.drained(RIGHT)
    assert taken(buffer) == [("left", 1), ("right", 2), ("right", 3), ("left", 4), ("left", 6), ("right", 9)]


def test_buffer_older_record_behind_newer_one_waits_for_it() -> None:
    buffer = RecordBuffer([LEFT, RIGHT])
    buffer.add(LEFT, records(1, 5, 3))
    buffer.drained(RIGHT)
    assert taken(buffer, limit=2) == [("left", 1), ("left", 5)]
    buffer.add(RIGHT, records(2, 4, 6))
    assert taken(buffer, limit=2) == [("right", 2), ("left", 3)]


def test_buffer_equal_timestamps_input_declared_first_goes_first() -> None:
    buffer = RecordBuffer([LEFT, RIGHT])
    buffer.add(RIGHT, records(5, 5))
    buffer.add(LEFT, records(5))
    buffer.drained(LEFT)
    buffer.drained(RIGHT)
    assert taken(buffer) == [("left", 5), ("right", 5), ("right", 5)]


def test_buffer_input_that_may_get_more_stops_the_others_when_it_runs_out() -> None:
    buffer = RecordBuffer([LEFT, RIGHT])
    buffer.add(LEFT, records(1, 2, 7, 8))
    buffer.add(RIGHT, records(5))
    assert taken(buffer) == [("left", 1), ("left", 2), ("right", 5)]
    assert taken(buffer) == []
    buffer.drained(RIGHT)
    assert taken(buffer) == [("left", 7), ("left", 8)]


def test_buffer_drained_input_is_waited_for_max_idle() -> None:
    buffer = RecordBuffer([LEFT, RIGHT], max_idle_ms=1000)
    buffer.drained(RIGHT)
    buffer.add(LEFT, records(0))
    buffer.drained(LEFT)
    assert taken(buffer, now_ms=1) == []
    buffer.add(RIGHT, records(1))
    buffer.drained(RIGHT)
    assert taken(buffer, now_ms=1) == [("left", 0)]
    assert taken(buffer, now_ms=2) == []
    assert taken(buffer, now_ms=1002) == [("right", 1)]


def test_buffer_limit_cuts_in_the_merged_order() -> None:
    buffer = RecordBuffer([LEFT, RIGHT])
    buffer.add(LEFT, records(1, 3, 5))
    buffer.add(RIGHT, records(2, 4, 6))
    assert taken(buffer, limit=3) == [("left", 1), ("right", 2), ("left", 3)]
    assert taken(buffer, limit=3) == [("right", 4), ("left", 5)]


def test_buffer_first_topic_goes_before_smaller_timestamps_until_it_is_drained() -> None:
    buffer = RecordBuffer([LEFT, RIGHT], first_topics={"right"})
    buffer.add(LEFT, records(1))
    buffer.drained(LEFT)
    assert taken(buffer) == []
    buffer.add(RIGHT, records(8, 9))
    assert taken(buffer) == [("right", 8), ("right", 9)]
    assert taken(buffer) == []
    buffer.drained(RIGHT)
    assert taken(buffer) == [("left", 1)]


def test_buffer_later_record_of_a_first_topic_goes_before_what_waits() -> None:
    buffer = RecordBuffer([LEFT, RIGHT], first_topics={"right"})
    buffer.drained(RIGHT)
    buffer.add(LEFT, records(1))
    buffer.add(RIGHT, records(9))
    assert taken(buffer) == [("right", 9)]
