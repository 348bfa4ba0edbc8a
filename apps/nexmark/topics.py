"""The topics of the queries, and what goes with each: four partitions, and records that are kept for ever.

Event times lie in the past, so that topics which delete by time would soon be empty.
"""

from dataclasses import dataclass
from typing import TypeVar

from framework import App, Topic

PARTITIONS = 4
KEEP = {"retention.ms": "-1"}
V = TypeVar("V")
K = TypeVar("K")


@dataclass(frozen=True)
class Names:
    """What the topics are called; `output` is that of the query's results."""

    output: str
    persons: str = "nexmark-persons"
    auctions: str = "nexmark-auctions"
    bids: str = "nexmark-bids"


def topic(app: App, name: str, key: type[K], value: type[V]) -> Topic[K, V]:
    """A topic of the benchmark."""
    return app.topic(name, key=key, value=value, partitions=PARTITIONS, config=KEEP)
