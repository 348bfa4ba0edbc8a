"""What an operator is: a chunk goes in, a chunk comes out. No Kafka, no clock, no threads.

An operator gives the same result for every cut of its input into chunks, with a restore between any two of them, and
with any limit on the uncommitted changes.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from framework.chunk import Chunk, Column
from framework.plan.nodes import Node
from state import KeyValueStore


class Operator(ABC):
    """One running step of one task."""

    @abstractmethod
    def process(self, chunk: Chunk) -> Chunk:
        """What follows from these records at once; may be empty. Whatever it raises is the user's function's."""


class FlushingOperator(Operator):
    """A step that keeps back what may still be replaced within the commit."""

    @abstractmethod
    def flush(self) -> Chunk:
        """What was kept back since the last flush."""


class SplittingOperator(ABC):
    """A step with several outputs."""

    @abstractmethod
    def split(self, chunk: Chunk) -> tuple[Chunk, ...]:
        """The records of each output."""


@dataclass
class OperatorContext:
    """What a task lends its operators: its stores by name, and a tally of dropped records by step and reason.

    With `every_change` tables pass every change on, whatever their nodes say.
    """

    stores: Mapping[str, KeyValueStore[Any]]
    every_change: bool = False
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)


class StepFailed(Exception):
    """A step raised; `__cause__` is what it raised."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.name)
        self.node = node


def empty_chunk() -> Chunk:
    return Chunk(Column([]), Column([]), [])
