"""The settings of the embedded broker: one node, small buffers, quick to start and to fail over."""

from collections.abc import Mapping
from pathlib import Path

KAFKA_VERSION = "4.2.0"
CLUSTER_ID = "5L6g3nShT-eMCtK--X86sw"

SETTINGS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "node.id": "1",
    # One node: nothing to copy to.
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # Quick groups and transactions.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "100",
    "group.coordinator.append.linger.ms": "0",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
    "broker.heartbeat.interval.ms": "200",
    "broker.session.timeout.ms": "1000",
    # Small: 140 MB in all.
    "log.cleaner.dedupe.buffer.size": "2097152",
    "log.index.size.max.bytes": "1048576",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "1",
    "metric.reporters": "",
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    # Retention goes by the record's timestamp: with a limit, event times of the past would be gone in minutes.
    "log.retention.ms": "-1",
    "log.message.timestamp.after.max.ms": "9223372036854775807",
}

LOG4J = """rootLogger.level=WARN
rootLogger.appenderRef.c.ref=C
appender.c.type=Console
appender.c.name=C
appender.c.layout.type=PatternLayout
appender.c.layout.pattern=[%d] %p %m (%c)%n
logger.s.name=kafka.server.KafkaRaftServer
logger.s.level=INFO
"""


def render(folder: Path, port: int, controller_port: int, extra: Mapping[str, str]) -> str:
    """The text of server.properties for a broker whose data is in `folder`/data."""
    settings = {
        **SETTINGS,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": str(folder / "data"),
        **extra,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
