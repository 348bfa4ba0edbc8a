"""What an operator is: chunks go in, chunks come out. No Kafka, no clock, no threads.

An operator gives the same result for every cut of its input into chunks, with a restore between any two of them, and
with any limit on the uncommitted changes.

| kind | what is asked of it |
|---|---|
| `Operator` | one chunk in, one out |
| `SplittingOperator` | one chunk in, several out: a branch, or results and late records |
| `JoiningOperator` | a chunk from each of its parents, or none, in; their `order` columns say how they interleave |
| `FlushingOperator` | also asked before each commit for what it kept back |
| `EventTimed` | also told when stream time moves on without records |
| `WallClocked` | also told the time of day, between chunks |
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framework.chunk import Chunk, Column, concatenate
from framework.plan.nodes import Node
from state import KeyValueStore

Inputs = Sequence[Chunk | None]


class AnyOperator(ABC):
    """One running step of one task."""

    @abstractmethod
    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        """What follows at once from the chunks of each parent (None: it has none), at least one of them there.

        Returns:
            The main output, then the others by index; of a branch its outputs. Each may be empty.
        Whatever it raises is the user's function's.
        """


class Operator(AnyOperator):
    """A step that does not care which parent a record comes from."""

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        return (self.process(merged(inputs)),)

    @abstractmethod
    def process(self, chunk: Chunk) -> Chunk:
        """What follows from these records at once; may be empty."""


class SplittingOperator(AnyOperator):
    """A step with several outputs."""

    def receive(self, inputs: Inputs) -> Sequence[Chunk]:
        return self.split(merged(inputs))

    @abstractmethod
    def split(self, chunk: Chunk) -> Sequence[Chunk]:
        """The records of each output."""


class JoiningOperator(AnyOperator):
    """A step that must know which parent a record comes from; it implements `receive`."""


class FlushingOperator(AnyOperator):
    """A step that keeps back what may still be replaced within the commit."""

    @abstractmethod
    def flush(self) -> Chunk:
        """What was kept back since the last flush."""


class EventTimed(AnyOperator):
    """A step whose results wait for stream time, which can also move without records."""

    @abstractmethod
    def advance(self, stream_time_ms: int) -> Sequence[Chunk]:
        """What becomes due when stream time reaches this (ms); outputs as those of `receive`.

        At the end of a bounded input it is told the end of time: what waits for the clock comes out, and the clock
        moves only as far as that needs.
        """


class WallClocked(AnyOperator):
    """A step with work of its own at times of day."""

    @abstractmethod
    def tick(self, now_ms: int) -> Sequence[Chunk]:
        """What becomes due now (ms since the epoch); outputs as those of `receive`."""

    def next_tick_ms(self) -> int | None:
        """The exact time that the step waits for next, if there is one; clocks that jump stop there."""
        return None


@dataclass
class OperatorContext:
    """What a task lends its operators.

    `stores` by name; with `every_change` tables pass every change on, whatever their nodes say; `dropped` counts
    records by step and reason; `outputs` tells which outputs beside the main one somebody reads, by step;
    `told_each` names the steps of the plan whose every change somebody reads;
    `with_olds` are the steps whose changes must say what they replace (`Chunk.olds`); `global_tables` by name, which
    change between chunks only; `partition` is the task's, and `clock` tells the time of day (ms since the epoch).
    """

    stores: Mapping[str, KeyValueStore[Any]]
    every_change: bool = False
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    outputs: Mapping[Node, frozenset[int]] = field(default_factory=dict)
    told_each: frozenset[str] = frozenset()
    with_olds: frozenset[Node] = frozenset()
    global_tables: Mapping[str, KeyValueStore[Any]] = field(default_factory=dict)
    partition: int = 0
    clock: Callable[[], int] = lambda: 0


class StepFailed(Exception):  # control flow inside the framework: the task turns it into a RecordError
    """A step raised; `__cause__` is what it raised."""

    def __init__(self, node: Node) -> None:
        super().__init__(node.name)
        self.node = node


def merged(inputs: Inputs) -> Chunk:
    """The records of all parents as one chunk."""
    return concatenate([chunk for chunk in inputs if chunk is not None])


def empty_chunk() -> Chunk:
    return Chunk(Column([]), Column([]), [])
