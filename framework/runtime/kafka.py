"""The one door to the Kafka client library: clients made with the right settings, and its errors in our words.

Offsets: the next to read is the committed one; a reader of committed records also passes the markers that transactions
leave in the log, so the end of a log is known by its end-of-partition event, not by counting.

Trap: an AdminClient that is collected cancels its futures with `_DESTROY`; keep it in a variable while they run.
Trap: the client takes milliseconds for settings that end in .ms, and seconds for arguments called timeout.
"""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any, Literal, TypeVar

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it re-exports two of them without saying so
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
)

from framework.config import Settings
from framework.errors import (
    AbortableError,
    BrokerUnreachable,
    ClientLost,
    ConfigError,
    FatalError,
    FencedError,
    RetriableError,
    StreamError,
)

T = TypeVar("T")
_BACK_OFF_S = 0.005

__all__ = [
    "OFFSET_BEGINNING", "AdminClient", "ConfigResource", "Consumer", "KafkaError", "KafkaException", "Message",
    "ConsumerGroupTopicPartitions", "NewTopic", "OffsetSpec", "Producer", "TopicPartition",
    "create_admin", "create_consumer", "create_producer",
    "group_consumer", "restore_consumer", "end_consumer", "transactional_producer", "admin_client",
    "place_in_log", "plain_producer", "read_partition", "FINAL_ERRORS", "calling", "insisting", "translate",
]  # fmt: skip


def create_producer(settings: Mapping[str, Any]) -> Producer:
    return Producer(dict(settings))


def create_consumer(settings: Mapping[str, Any]) -> Consumer:
    return Consumer(dict(settings))


def create_admin(settings: Mapping[str, Any]) -> AdminClient:
    return AdminClient(dict(settings))


def _common(settings: Settings) -> dict[str, Any]:
    return {
        "bootstrap.servers": settings.bootstrap_servers,
        "log_level": 3,  # errors; everything else is told by our own log
        **{name: value for name, value in settings.kafka.items() if "." in name or name == "debug"},
    }


def admin_client(settings: Settings) -> AdminClient:
    """For topics and offsets. The first client of a start, so it is the one that finds out what settings it has.

    Raises:
        ConfigError: the client does not know one of `kafka.…`, or not its value.
    """
    try:
        # Reason: where nobody answers, the client logs an error twenty times a second; our exception says it once.
        return AdminClient({**_common(settings), "log_level": 2})
    except KafkaException as error:
        raise ConfigError(
            f"the Kafka client refuses a setting: {error.args[0].str()}. Correct or remove it; those given are "
            f"{', '.join(f'kafka.{name}' for name in settings.kafka) or 'none'}."
        ) from error


# Records fetched ahead are the largest part of a worker's memory: each takes about 300 bytes beside its own, and what
# is fetched at once is kept until the last record of it was taken.
_FETCHED_AHEAD = 100_000
_FETCHED_AHEAD_PER_PARTITION = range(1_000, 50_000)
_FETCHING = {
    "max.partition.fetch.bytes": 1 << 20,
    # Reason: by default a partition that has enough records at hand is left alone for a whole second, in which the
    # worker has long taken them.
    "fetch.queue.backoff.ms": 10,
}


def group_consumer(
    settings: Settings, group: str, identity: str | None, *, partitions: int, tells_ends: bool = False
) -> Consumer:
    """The member of the consumer group that gets tasks; `identity` makes it a static one.

    Args:
        settings: where the broker is, and the times.
        group: the app's id.
        identity: of a static member; None: a dynamic one.
        partitions: how many it may have to read, which share what is fetched ahead.
        tells_ends: it tells when it has reached the end of a partition, and soon.
    """
    allowed = _FETCHED_AHEAD_PER_PARTITION
    ahead = min(max(_FETCHED_AHEAD // max(1, partitions), allowed.start), allowed.stop)
    # Reason: an end is told with the next fetch's answer, which waits so long for records.
    ends = {"enable.partition.eof": True, "fetch.wait.max.ms": 20} if tells_ends else {}
    return Consumer(
        {
            **ends,
            "queued.min.messages": ahead,
            **_FETCHING,
            **_common(settings),
            "group.id": group,
            **({"group.instance.id": identity} if identity else {}),
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": settings.session_timeout,
            "heartbeat.interval.ms": min(settings.heartbeat_interval, max(10, settings.session_timeout // 3)),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
    )


def restore_consumer(settings: Settings, group: str) -> Consumer:
    """Reads changelogs: committed records only, tells when it has reached an end, and soon."""
    return Consumer(
        {
            **_FETCHING,
            **_common(settings),
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            # Reason: an end is told with the next fetch's answer; with the default every restore waits half a second.
            "fetch.wait.max.ms": 10,
            "queued.min.messages": 200_000,
        }
    )


def end_consumer(settings: Settings, group: str) -> Consumer:
    """Asks for the true end of a log, open transactions included."""
    return Consumer(
        {
            **_common(settings),
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_uncommitted",
        }
    )


_OUTPUT = {
    "queue.buffering.max.messages": 2_000_000,
    "queue.buffering.max.kbytes": 1 << 20,
    "batch.num.messages": 50_000,
    "batch.size": 1_000_000,
    # Reason: the Java client's, so that equal keys meet in one partition whoever wrote them.
    "partitioner": "murmur2_random",
}


def transactional_producer(settings: Settings, transactional_id: str) -> Producer:
    """The producer of one worker."""
    return Producer(
        {
            # Reason: fuller batches cost less, and no commit waits for it: flush() sends at once what there is.
            "linger.ms": 5,
            # Reason: with the default of 100 ms each transaction meets the end of the one before it and waits.
            "retry.backoff.ms": 1,
            **_OUTPUT,
            **_common(settings),
            "transactional.id": transactional_id,
            "transaction.timeout.ms": settings.transaction_timeout,
        }
    )


def continuous_producer(settings: Settings, told: Callable[[KafkaError | None, Any], None]) -> Producer:
    """The producer of a worker without transactions; `told` hears of each record whether it has arrived."""
    return Producer(
        {
            # Reason: records leave at once; under load the client fills its batches anyhow.
            "linger.ms": 0,
            **_OUTPUT,
            **_common(settings),
            "enable.idempotence": True,
            "on_delivery": told,
        }
    )


def plain_producer(settings: Settings) -> Producer:
    """For a few records outside of any transaction, which may come twice.

    Cost: an idempotent one asks for its id first; where it is not connected yet, half a second later.
    """
    return Producer({**_common(settings), "acks": "all", "linger.ms": 0})


def read_partition(settings: Settings, topic: str, partition: int, timeout_s: float) -> list[Message]:
    """All committed records of a small partition, from its beginning to its end.

    Raises:
        BrokerUnreachable, FatalError: they cannot be read, or not in that time.
    """
    return list(_records_of(settings, topic, partition, timeout_s))


def has_records(settings: Settings, topic: str, partition: int, timeout_s: float) -> bool:
    """Whether a partition has a committed record.

    Raises:
        BrokerUnreachable, FatalError: as `read_partition`.
    """
    with closing(_records_of(settings, topic, partition, timeout_s)) as records:
        return next(records, None) is not None


def _records_of(settings: Settings, topic: str, partition: int, timeout_s: float) -> Generator[Message, None, None]:
    consumer = restore_consumer(settings, f"{topic}-reader")
    deadline = time.monotonic() + timeout_s
    try:
        place = TopicPartition(topic, partition)
        # Reason: a partition that was made a moment ago may have no leader yet.
        low, _ = insisting(f"read {topic}", consumer.get_watermark_offsets, place, within_s=timeout_s)
        consumer.assign([TopicPartition(topic, partition, low)])
        while time.monotonic() < deadline:
            for message in consumer.consume(1_000, 0.05):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    return
                else:
                    raise translate(error, f"read {topic}")
    finally:
        consumer.close()
    raise BrokerUnreachable(f"{topic} could not be read within {timeout_s:.0f} s.")


def place_in_log(place: Literal["earliest", "end"] | int) -> OffsetSpec:
    """A place in every partition, as the admin client asks for its offset; a number is a time (ms)."""
    if place == "earliest":
        found: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # as below
    elif place == "end":
        found = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    else:
        found = OffsetSpec.for_timestamp(place)
    return found


def calling(what: str, call: Callable[..., T], *arguments: Any) -> T:
    """Call the client; its errors come out as ours.

    Raises:
        RetriableError, AbortableError, ClientLost, BrokerUnreachable, FatalError: by what is to be done.
    """
    try:
        return call(*arguments)
    except KafkaException as error:
        raise translate(error.args[0], what) from error


def insisting(what: str, call: Callable[..., T], *arguments: Any, within_s: float) -> T:
    """Call the client, again while a later call may succeed.

    Raises:
        AbortableError, ClientLost, FatalError: by what is to be done.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            return calling(what, call, *arguments)
        except (RetriableError, BrokerUnreachable) as error:
            if time.monotonic() > deadline:
                raise FatalError(f"gave up after {within_s:.0f} s: {error}") from error
            time.sleep(_BACK_OFF_S)


_FENCED = {
    KafkaError._FENCED,
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
}
# Reason: the client marks errors as retriable for calls of the transaction alone.
_PASSING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.REQUEST_TIMED_OUT,
    KafkaError._WAIT_COORD,
    KafkaError._UNKNOWN_PARTITION,
}
# Reason: the client tells these again and again, and would wait for ever.
FINAL_ERRORS = {
    KafkaError.FENCED_INSTANCE_ID,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
}
# Of a commit of offsets outside of transactions.
NOT_A_MEMBER = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError._STATE,
    KafkaError._ASSIGNMENT_LOST,
}
_UNREACHABLE = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}


def translate(error: KafkaError, what: str) -> StreamError:
    """The client's error as one of ours; `what` names what was being done."""
    said = f"{what}: {error.name()}: {error.str()}"
    if error.txn_requires_abort():
        return AbortableError(said)
    if (error.fatal() and error.code() in _FENCED) or "fenced" in error.str().lower():
        return FencedError(
            f"{said}. Another process runs with the same instance name, or took over this one's tasks. "
            "This one stops and commits nothing more."
        )
    if error.fatal():
        return ClientLost(said)
    if error.retriable() or error.code() in _PASSING:
        return RetriableError(said)
    if error.code() in _UNREACHABLE:
        return BrokerUnreachable(f"{said}. Is a broker running at the bootstrap servers, and can it be reached?")
    return FatalError(said)
