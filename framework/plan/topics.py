"""Topics as data: those the user declares and the internal ones a plan needs, with their settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from framework.plan.types import UNKNOWN
from serde import Serde, for_type

# Reason: Kafka 4 refuses records stamped more than an hour ahead unless told otherwise; event times may well be.
_ANY_FUTURE = {"message.timestamp.after.max.ms": "9223372036854775807"}
FILE_SUFFIXES = (".txt", ".jsonl", ".ndjson", ".csv", ".parquet")
"""Of the files that records are read from and written to."""
_KEEP_ALL = {"retention.ms": "-1", "retention.bytes": "-1"}


@dataclass(frozen=True)
class TopicSpec:
    """A topic as the user declared it.

    `key_type` None: keyless, keys are neither read nor written. `timestamp` takes a record's time (ms) from its value.
    `fill` is the file whose records an empty topic gets when the app starts.
    """

    name: str
    key_type: object
    value_type: object
    format: str | None = None
    partitions: int | None = None
    replication: int | None = None
    config: Mapping[str, str] = field(default_factory=dict)
    timestamp: Callable[[Any], int] | None = None
    fill: Path | None = None

    @property
    def is_keyless(self) -> bool:
        return self.key_type is None or self.key_type is type(None)

    @property
    def creation_config(self) -> dict[str, str]:
        """The settings it is created with, where the app creates it."""
        # Reason: what a file has filled is not written again, so it must not expire.
        return {**({"retention.ms": "-1"} if self.fill is not None else {}), **self.config}


class TopicRole(StrEnum):
    """Why a plan needs an internal topic."""

    REPARTITION = "repartition"
    CHANGELOG = "changelog"


@dataclass(frozen=True)
class InternalTopic:
    """A topic that belongs to the app: created at start, checked when it exists.

    `sub_topology` is the one that reads it (repartition) or owns its store (changelog); `partitions` is None where the
    number follows from the topics that lead to it. `forgets`: the store of this changelog forgets by time, so the
    worker deletes what is dead of it (see `runtime/purge.py`).
    """

    name: str
    role: TopicRole
    sub_topology: int
    partitions: int | None = None
    forgets: bool = False

    @property
    def config(self) -> dict[str, str]:
        """The settings it is created with; a wrong one among them would lose data."""
        if self.forgets:
            # Reason: a broker deletes up to an offset only where the policy has "delete"; nothing else may be deleted.
            return {"cleanup.policy": "compact,delete", **_KEEP_ALL, **_ANY_FUTURE}
        if self.role is TopicRole.CHANGELOG:
            return {"cleanup.policy": "compact", **_ANY_FUTURE}
        # Reason: retention goes by the record's timestamp, so any limit would delete old event times unread.
        return {"cleanup.policy": "delete", **_KEEP_ALL, **_ANY_FUTURE}

    @property
    def checked(self) -> tuple[str, ...]:
        """The settings without which data would be lost, or the topic would grow without end."""
        if self.role is TopicRole.CHANGELOG and not self.forgets:
            return ("cleanup.policy",)
        return ("cleanup.policy", "retention.ms", "retention.bytes")


def serde_for(known: object, format: str | None = None) -> Serde[object]:
    """The serde of a type; JSON for one that nobody stated."""
    return for_type(Any if known is UNKNOWN else known, format)
