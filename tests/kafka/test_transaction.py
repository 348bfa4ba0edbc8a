"""A worker's transaction on a real broker: what is aborted is never seen, and the past of an identity is fenced."""

import uuid
from typing import Any

import pytest

from framework.config import load_settings
from framework.errors import FatalError, FencedError
from framework.operators import Output
from framework.runtime.kafka import group_consumer, transactional_producer
from framework.runtime.transaction import Transaction

pytestmark = pytest.mark.kafka


def output(topic: str, *values: bytes) -> Output:
    return Output(topic, [b"k"] * len(values), list(values), [1] * len(values), None)


class Member:
    """A transaction and the group membership it commits with."""

    def __init__(self, kafka: Any, identity: str) -> None:
        settings = load_settings({"bootstrap_servers": kafka.bootstrap}, {})
        self.consumer = group_consumer(settings, identity, None, partitions=1)
        self.transaction = Transaction(
            *(transactional_producer(settings, name) for name in (identity, f"{identity}:2"))
        )

    def write(self, *outputs: Output) -> None:
        self.transaction.begin()
        for each in outputs:
            self.transaction.write(each)

    def commit(self) -> None:
        self.transaction.commit({}, self.consumer.consumer_group_metadata)

    def committed(self, *outputs: Output) -> None:
        self.write(*outputs)
        self.commit()


def values(kafka: Any, topic: str, isolation: str) -> list[bytes]:
    return [record.value for record in kafka.read(topic, isolation)]


def test_transaction_aborted_is_not_seen_by_readers_of_committed_records(kafka: Any) -> None:
    topic, member = kafka.topic(partitions=1), Member(kafka, f"t-{uuid.uuid4().hex[:8]}")
    member.write(output(topic, b"dropped"))
    member.transaction._producer.flush()
    member.transaction.abort()
    member.write(output(topic, b"kept"))
    member.commit()
    member.consumer.close()
    assert values(kafka, topic, "read_committed") == [b"kept"]
    assert values(kafka, topic, "read_uncommitted") == [b"dropped", b"kept"]


def test_transaction_of_a_replaced_identity_is_fenced_and_not_seen(kafka: Any) -> None:
    topic, identity = kafka.topic(partitions=1), f"t-{uuid.uuid4().hex[:8]}"
    old = Member(kafka, identity)
    old.write(output(topic, b"old"))
    new = Member(kafka, identity)
    with pytest.raises(FencedError):
        old.commit()
    new.write(output(topic, b"new"))
    new.commit()
    old.consumer.close()
    new.consumer.close()
    assert values(kafka, topic, "read_committed") == [b"new"]


def test_transaction_of_a_replaced_identity_is_fenced_whichever_producer_has_its_turn(kafka: Any) -> None:
    topic, identity = kafka.topic(partitions=1), f"t-{uuid.uuid4().hex[:8]}"
    old = Member(kafka, identity)
    old.committed(output(topic, b"before"))
    old.write(output(topic, b"old"))
    new = Member(kafka, identity)
    with pytest.raises(FencedError):
        old.commit()
    old.consumer.close()
    new.consumer.close()
    assert values(kafka, topic, "read_committed") == [b"before"]


def test_transactions_one_after_the_other_stand_in_the_log_in_their_order(kafka: Any) -> None:
    topic, member = kafka.topic(partitions=1), Member(kafka, f"t-{uuid.uuid4().hex[:8]}")
    sent = [b"%d" % number for number in range(30)]
    for value in sent:
        member.committed(output(topic, value))
    member.consumer.close()
    assert values(kafka, topic, "read_committed") == sent


def test_transaction_dropped_by_a_crash_in_the_second_turn_is_aborted_by_the_next_life(kafka: Any) -> None:
    topic, identity = kafka.topic(partitions=1), f"t-{uuid.uuid4().hex[:8]}"
    old = Member(kafka, identity)
    old.committed(output(topic, b"first"))
    old.write(output(topic, b"lost"))
    old.transaction._producer.flush()
    new = Member(kafka, identity)
    new.committed(output(topic, b"next"))
    old.consumer.close()
    new.consumer.close()
    assert values(kafka, topic, "read_committed") == [b"first", b"next"]


def test_record_larger_than_the_client_takes_stops_with_its_topic(kafka: Any) -> None:
    topic, member = kafka.topic(partitions=1), Member(kafka, f"t-{uuid.uuid4().hex[:8]}")
    with pytest.raises(FatalError, match=f"write to {topic}.*MSG_SIZE_TOO_LARGE"):
        member.write(output(topic, b"x" * 2_000_000))
    member.transaction.abort()
    member.consumer.close()
