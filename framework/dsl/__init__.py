"""The language: typed streams and tables that build a graph of nodes."""

from framework.dsl.app import App
from framework.dsl.global_tables import GlobalTable
from framework.dsl.grouped import GroupedStream
from framework.dsl.grouped_tables import GroupedTable
from framework.dsl.processors import Context, ListState, MapState, Processor, ValueState, every
from framework.dsl.streams import Stream
from framework.dsl.tables import Table
from framework.dsl.topics import Topic
from framework.dsl.windows import hopping, session, sliding, tumbling, unlimited
from framework.plan.processors import Timer

__all__ = [
    "App",
    "GlobalTable",
    "GroupedStream",
    "GroupedTable",
    "Stream",
    "Table",
    "Topic",
    "hopping",
    "session",
    "sliding",
    "tumbling",
    "unlimited",
    "Context",
    "ListState",
    "MapState",
    "Processor",
    "Timer",
    "ValueState",
    "every",
]
