"""The running steps of one task, in the order in which chunks visit them.

Chunks from the sources visit every step that the sources lead to, each after those it reads from; so where paths meet,
all their records are there and are put in the order of the input (`Chunk.order`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from framework.chunk import Chunk, Column
from framework.operators.base import (
    AnyOperator,
    EventTimed,
    FlushingOperator,
    OperatorContext,
    StepFailed,
    WallClocked,
)
from framework.operators.build import build_operator
from framework.operators.sink import Output, SinkOperator
from framework.operators.timestamps import check_timestamps, extracted
from framework.plan.nodes import BranchNode, Node, OutputNode, RepartitionNode, RouteNode, SinkNode, SourceNode
from framework.plan.olds import asked_for_olds
from framework.plan.plan import Source, SubTopology
from framework.records import Records
from state import KeyValueStore


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """An operator in its place: the nodes it reads from, and where each of its outputs goes (None: nowhere)."""

    node: Node
    parents: tuple[Node, ...]
    operator: AnyOperator
    targets: tuple[Node | None, ...] = ()


class Pipeline:
    """Runs chunks through the steps of a sub-topology; `outputs` collects what reaches the sinks, for the task.

    `is_event_timed`: a step waits for stream time; `is_wall_clocked`: a step has work at times of day.
    """

    def __init__(
        self,
        sub: SubTopology,
        stores: Mapping[str, KeyValueStore[Any]],
        *,
        every_change: bool = False,
        global_tables: Mapping[str, KeyValueStore[Any]] | None = None,
        partition: int = 0,
        clock: Callable[[], int] = lambda: 0,
    ) -> None:
        self.outputs: list[Output] = []
        self._is_ordered = sub.is_ordered
        self._sources = {source.topic: source for source in sub.sources}
        outputs: dict[Node, dict[int, OutputNode]] = {}
        for node in sub.steps:
            if isinstance(node, OutputNode):
                outputs.setdefault(node.parents[0], {})[node.index] = node
        self._context = OperatorContext(
            stores,
            every_change,
            outputs={node: frozenset(o) for node, o in outputs.items()},
            told_each=sub.told_each,
            with_olds=asked_for_olds(sub.steps),
            global_tables=global_tables or {},
            partition=partition,
            clock=clock,
        )
        self._steps = [
            Step(node, node.parents, build_operator(node, self._context), _targets(node, outputs.get(node, {})))
            for node in sub.steps
            if not isinstance(node, SourceNode | RepartitionNode | SinkNode | OutputNode)
        ]
        self._steps += self._sink_steps(sub)
        self._after: dict[frozenset[Node], tuple[Step, ...]] = {}
        self.is_event_timed = any(isinstance(step.operator, EventTimed) for step in self._steps)
        self.is_wall_clocked = any(isinstance(step.operator, WallClocked) for step in self._steps)

    @property
    def dropped(self) -> Counter[tuple[str, str]]:
        """Dropped records by step and reason."""
        return self._context.dropped

    def restore_dropped(self, dropped: Mapping[tuple[str, str], int]) -> None:
        """Count as it was before records that are undone, which will be counted when they run again."""
        self._context.dropped.clear()
        self._context.dropped.update(dropped)

    def next_tick_ms(self) -> int | None:
        """The first exact time of day that a step waits for (ms)."""
        times = [step.operator.next_tick_ms() for step in self._steps if isinstance(step.operator, WallClocked)]
        return min((time for time in times if time is not None), default=None)

    def process(self, inputs: Sequence[tuple[str, Records, Sequence[int] | None]]) -> int:
        """Run records through the steps.

        Args:
            inputs: by topic, its records, and their places in the order of all; None if there is but one topic.
        Returns:
            The greatest timestamp among them (ms).
        Raises:
            StepFailed: a step raised; stores and outputs are to be undone.
        """
        arrived: dict[Node, Chunk] = {}
        for topic, records, order in inputs:
            source = self._sources[topic]
            try:
                arrived[source.node] = self._source_chunk(source, records, order)
            except Exception as error:
                raise StepFailed(source.node) from error
        newest = max(max(chunk.timestamps) for chunk in arrived.values())
        self._run(arrived)
        return newest

    def timed(self, topic: str, records: Records) -> Records:
        """The records with the timestamps that their values give; where one gives none it keeps its own for now."""
        source = self._sources[topic]
        if source.timestamp is None:
            return records
        timestamps = []
        for value, own in zip(records.values, records.timestamps, strict=True):
            try:
                timestamps.append(source.timestamp(None if value is None else source.value_serde.deserialize(value)))
            except Exception:  # the record fails when its turn comes, and is named then
                timestamps.append(own)
        return replace(records, timestamps=timestamps)

    def flush(self) -> None:
        """Send on what the steps kept back.

        Raises:
            StepFailed: a step raised.
        """
        for step in self._steps:
            if isinstance(step.operator, FlushingOperator):
                chunk = step.operator.flush()
                if len(chunk):
                    self._run({step.node: chunk})

    def advance(self, stream_time_ms: int) -> None:
        """Stream time has moved on without records.

        Raises:
            StepFailed: a step raised.
        """
        for step in self._steps:
            if isinstance(step.operator, EventTimed):
                self._run_outputs(step, lambda operator=step.operator: operator.advance(stream_time_ms))

    def tick(self, now_ms: int) -> None:
        """Tell the steps the time of day.

        Raises:
            StepFailed: a step raised.
        """
        for step in self._steps:
            if isinstance(step.operator, WallClocked):
                self._run_outputs(step, lambda operator=step.operator: operator.tick(now_ms))

    def take_outputs(self) -> list[Output]:
        """The outputs so far, which are forgotten here."""
        outputs = self.outputs[:]
        self.outputs.clear()
        return outputs

    def _run_outputs(self, step: Step, work: Any) -> None:
        try:
            results: Sequence[Chunk] = work()
        except Exception as error:
            raise StepFailed(step.node) from error
        arrived = _arrivals(step, results)
        if arrived:
            self._run(arrived)

    def _run(self, arrived: dict[Node, Chunk]) -> None:
        for step in self._following(frozenset(arrived)):
            inputs = [arrived.get(parent) for parent in step.parents]
            if not any(chunk is not None for chunk in inputs):
                continue
            try:
                results = step.operator.receive(inputs)
            except Exception as error:
                raise StepFailed(step.node) from error
            arrived.update(_arrivals(step, results))

    def _following(self, starts: frozenset[Node]) -> tuple[Step, ...]:
        """The steps that these nodes lead to; each set of starts is worked out once."""
        if starts not in self._after:
            self._after[starts] = _reachable(starts, self._steps)
        return self._after[starts]

    def _sink_steps(self, sub: SubTopology) -> list[Step]:
        # Reason: paths that end in one topic end in one step, so that their records are written in order.
        parents: dict[str, list[Node]] = {}
        for sink in sub.sinks:
            parents.setdefault(sink.topic, []).append(sink.node.parents[0])
        by_topic = {sink.topic: sink for sink in reversed(sub.sinks)}
        return [
            Step(by_topic[topic].node, tuple(nodes), SinkOperator(by_topic[topic], self.outputs))
            for topic, nodes in parents.items()
        ]

    def _source_chunk(self, source: Source, records: Records, order: Sequence[int] | None) -> Chunk:
        keys = (
            Column([None] * len(records)) if source.key_serde is None else Column(None, records.keys, source.key_serde)
        )
        values = Column(None, records.values, source.value_serde)
        places = None
        if self._is_ordered:
            places = list(range(len(records))) if order is None else list(order)
        chunk = Chunk(keys, values, records.timestamps, records.headers, places)
        if source.timestamp is not None:
            chunk.timestamps = extracted(source.timestamp, chunk)
        check_timestamps(chunk.timestamps)
        return chunk


def _targets(node: Node, outputs: Mapping[int, OutputNode]) -> tuple[Node | None, ...]:
    count = max(outputs, default=0) + 1
    numbered: list[Node | None] = [outputs.get(i) for i in range(count)]
    if not isinstance(node, BranchNode | RouteNode):
        numbered[0] = node
    return tuple(numbered)


def _arrivals(step: Step, results: Sequence[Chunk]) -> dict[Node, Chunk]:
    return {
        target: chunk for target, chunk in zip(step.targets, results, strict=False) if target is not None and len(chunk)
    }


def _reachable(starts: frozenset[Node], steps: Sequence[Step]) -> tuple[Step, ...]:
    reached: set[Node] = set(starts)
    found = []
    for step in steps:
        if any(parent in reached for parent in step.parents):
            reached.update(target for target in step.targets if target is not None)
            found.append(step)
    return tuple(found)
