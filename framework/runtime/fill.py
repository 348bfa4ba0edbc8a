"""Topics that are filled from files: an empty one gets its file's records before a worker takes its first task.

Written in one transaction, whose id belongs to the topic: of several workers that start at the same moment each fences
the one before it, so what the last one finds is either empty or complete. One that is fenced waits for what that one
writes, for without it nobody may begin.

Trap: aborted records take offsets, so a topic is empty when it has no record that is committed.
"""

import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from framework.config import Settings
from framework.errors import ConfigError, FatalError, StreamError
from framework.naming import transactional_id
from framework.plan.plan import Plan
from framework.plan.topics import TopicSpec
from framework.runtime import kafka
from framework.runtime.files import read_encoded

log = logging.getLogger("penstock")

_TIMEOUT_S = 30.0
_PAUSE_S = 0.1


def fill_topics(plan: Plan, settings: Settings, partitions: Mapping[str, int]) -> None:
    """Fill the topics that are read, were declared with a file, and hold nothing.

    Args:
        plan: the app.
        settings: where the broker is.
        partitions: of each topic.
    Raises:
        ConfigError: a file cannot be read, or a record of it does not fit the topic; the topic stays empty.
        FatalError: the broker takes nothing.
    """
    for topic in plan.source_topics:
        if topic.fill is not None and not _has_records(settings, topic.name, partitions[topic.name]):
            _fill(settings, plan.app_id, topic, topic.fill, partitions[topic.name])


def _has_records(settings: Settings, topic: str, partitions: int) -> bool:
    return any(kafka.has_records(settings, topic, partition, _TIMEOUT_S) for partition in range(partitions))


def _fill(settings: Settings, app_id: str, topic: TopicSpec, path: Path, partitions: int) -> None:
    producer = kafka.transactional_producer(settings, transactional_id(app_id, f"fill-{topic.name}"))
    # Reason: this waits for, or fences, whoever is at it; only then it is sure what the topic holds.
    _call("init transactions", producer.init_transactions, _TIMEOUT_S)
    if _has_records(settings, topic.name, partitions):
        return
    _call("begin transaction", producer.begin_transaction)
    try:
        count = _write(producer, topic, path)
        if kafka.calling(f"fill {topic.name}", producer.flush, _TIMEOUT_S) > 0:
            raise FatalError(f"cannot fill the topic {topic.name}: the broker acknowledges nothing.")
        _call("commit transaction", producer.commit_transaction, _TIMEOUT_S)
    except ConfigError:
        _abort(producer)
        raise
    except (StreamError, kafka.KafkaException) as error:
        # Reason: by whatever call it is found out, most likely another worker has fenced this one and is at it.
        _abort(producer)
        log.info("another worker fills the topic %s (%s)", topic.name, error)
        _wait_for_records(settings, topic.name, partitions, error)
        return
    log.info("filled the topic %s with %d records of %s", topic.name, count, path)


def _abort(producer: kafka.Producer) -> None:
    # Reason: a producer that cannot abort any more leaves that to the broker.
    with suppress(StreamError, kafka.KafkaException):
        producer.abort_transaction(_TIMEOUT_S)


def _wait_for_records(settings: Settings, topic: str, partitions: int, reason: Exception) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not _has_records(settings, topic, partitions):
        if time.monotonic() > deadline:
            raise FatalError(
                f"cannot fill the topic {topic}, nor does another worker: {reason}. Start again."
            ) from reason
        time.sleep(_PAUSE_S)


def _write(producer: kafka.Producer, topic: TopicSpec, path: Path) -> int:
    count = 0
    for key, value, timestamp_ms in read_encoded(path, topic):
        arguments = (topic.name, value, key, -1, None, None, timestamp_ms)
        try:
            producer.produce(*arguments)
        except BufferError:
            kafka.calling(f"fill {topic.name}", producer.flush, _TIMEOUT_S)
            producer.produce(*arguments)
        count += 1
    return count


def _call(what: str, call: Any, *arguments: Any) -> None:
    kafka.insisting(what, call, *arguments, within_s=_TIMEOUT_S)
