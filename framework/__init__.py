"""penstock: typed stream topologies on Kafka, exactly once, with local state."""

from framework.dsl import (
    App,
    GlobalTable,
    GroupedStream,
    GroupedTable,
    Stream,
    Table,
    Topic,
    hopping,
    session,
    sliding,
    tumbling,
    unlimited,
)
from framework.errors import ConfigError, DeclarationError, FatalError, RecordError, StreamError, TopicError
from framework.records import Record, TopicPartition
from serde import Windowed

__all__ = [
    "App",
    "Stream",
    "Table",
    "GlobalTable",
    "GroupedStream",
    "GroupedTable",
    "Topic",
    "tumbling",
    "hopping",
    "sliding",
    "session",
    "unlimited",
    "Windowed",
    "Record",
    "TopicPartition",
    "StreamError",
    "DeclarationError",
    "ConfigError",
    "TopicError",
    "RecordError",
    "FatalError",
]
