"""The pass-through by hand: exactly-once, a commit as soon as nothing more is there. Runs until SIGTERM.

Two producers take turns, as in the worker (see `framework/runtime/transaction.py`): with one it is slower.

usage: python -m tests.bench.hand_loop SERVERS SOURCE TARGET
"""

import signal
import sys
import time
from itertools import cycle
from types import FrameType

from confluent_kafka import Consumer, Producer, TopicPartition

_COMMIT_INTERVAL_S = 0.1


def main(servers: str, source: str, target: str) -> None:
    is_stopping = False

    def stop(_: int, __: FrameType | None) -> None:
        nonlocal is_stopping
        is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": f"hand-{source}", "auto.offset.reset": "earliest",
         "enable.auto.commit": False, "isolation.level": "read_committed"}
    )  # fmt: skip
    producers = [
        Producer(
            {"bootstrap.servers": servers, "transactional.id": f"hand-{source}-{n}", "linger.ms": 0,
             "retry.backoff.ms": 1}
        )
        for n in range(2)
    ]  # fmt: skip
    for producer in producers:
        producer.init_transactions()
    in_turn = cycle(producers)
    consumer.subscribe([source])
    offsets: dict[int, int] = {}
    began = 0.0
    while not is_stopping:
        first = consumer.poll(0 if offsets else 0.1)
        messages = [] if first is None else [first, *consumer.consume(10_000, 0)]
        if messages and not offsets:
            producer = next(in_turn)
            producer.begin_transaction()
            began = time.perf_counter()
        for message in messages:
            producer.produce(target, message.value(), message.key())
            offsets[message.partition() or 0] = (message.offset() or 0) + 1
        if offsets and (not messages or time.perf_counter() - began > _COMMIT_INTERVAL_S):
            places = [TopicPartition(source, partition, offset) for partition, offset in offsets.items()]
            producer.flush()
            producer.send_offsets_to_transaction(places, consumer.consumer_group_metadata())
            producer.commit_transaction()
            offsets.clear()
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
