"""Topics as the user's program holds them: typed for mypy, a plain specification inside."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from framework.plan.topics import TopicSpec

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class Topic(Generic[K, V]):
    """A topic with the types of its keys and values; made by `app.topic`."""

    spec: TopicSpec

    @property
    def name(self) -> str:
        return self.spec.name

    def __repr__(self) -> str:
        return f"Topic({self.spec.name!r})"
