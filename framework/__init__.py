"""penstock: typed stream topologies on Kafka, exactly once, with local state."""

from framework.dsl import App, GlobalTable, GroupedStream, GroupedTable, Stream, Table, Topic
from framework.errors import ConfigError, DeclarationError, FatalError, RecordError, StreamError, TopicError
from framework.records import Record, TopicPartition

__all__ = [
    "App",
    "Stream",
    "Table",
    "GlobalTable",
    "GroupedStream",
    "GroupedTable",
    "Topic",
    "Record",
    "TopicPartition",
    "StreamError",
    "DeclarationError",
    "ConfigError",
    "TopicError",
    "RecordError",
    "FatalError",
]
