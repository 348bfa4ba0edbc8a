"""Topics as the user's program holds them: typed for mypy, a plain specification inside."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from framework.durations import Duration
from framework.plan.topics import TopicSpec
from framework.records import Header, Record

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class Topic(Generic[K, V]):
    """A topic with the types of its keys and values; made by `app.topic`. `history` is that of tables read from it."""

    spec: TopicSpec
    history: Duration | None = None

    @property
    def name(self) -> str:
        return self.spec.name

    def record(self, value: V, *, key: K | None = None, at: int = 0, headers: Sequence[Header] = ()) -> Record:
        """A record for this topic, as `App.batch` takes it; `at` is its timestamp (ms)."""
        return Record(self.name, 0, 0, key, value, at, list(headers))

    def __repr__(self) -> str:
        return f"Topic({self.spec.name!r})"
