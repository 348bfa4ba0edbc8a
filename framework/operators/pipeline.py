"""The running steps of one task, in the order in which chunks visit them.

A chunk from a source visits every step that the source leads to, each after those it reads from; so where paths meet
again, all their records are there and are put in the order of their source (`Chunk.order`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from framework.chunk import Chunk, Column, concatenate
from framework.operators.base import (
    FlushingOperator,
    Operator,
    OperatorContext,
    SplittingOperator,
    StepFailed,
)
from framework.operators.build import build_operator
from framework.operators.sink import Output, SinkOperator
from framework.plan.nodes import BranchOutputNode, Node, RepartitionNode, SinkNode, SourceNode
from framework.plan.plan import Source, SubTopology
from framework.records import Records
from state import KeyValueStore


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """An operator in its place: the nodes it reads from, and its outputs if it splits."""

    node: Node
    parents: tuple[Node, ...]
    operator: Operator | SplittingOperator
    outputs: tuple[BranchOutputNode, ...] = ()


class Pipeline:
    """Runs chunks through the steps of a sub-topology; `outputs` collects what reaches the sinks, for the task."""

    def __init__(
        self, sub: SubTopology, stores: Mapping[str, KeyValueStore[Any]], *, every_change: bool = False
    ) -> None:
        self.outputs: list[Output] = []
        self._context = OperatorContext(stores, every_change)
        self._is_ordered = sub.is_ordered
        self._sources = {source.topic: source for source in sub.sources}
        steps = [*self._inner_steps(sub), *self._sink_steps(sub)]
        self._flushing = [(step.node, step.operator) for step in steps if isinstance(step.operator, FlushingOperator)]
        starts = [*(source.node for source in sub.sources), *(node for node, _ in self._flushing)]
        self._after = {start: _reachable(start, steps) for start in starts}

    @property
    def dropped(self) -> Counter[tuple[str, str]]:
        """Dropped records by step and reason."""
        return self._context.dropped

    def process(self, topic: str, records: Records) -> None:
        """Run the records of one partition through the steps.

        Raises:
            StepFailed: a step raised; stores and outputs are as the records before it left them.
        """
        source = self._sources[topic]
        self._run(source.node, _source_chunk(source, records, ordered=self._is_ordered))

    def flush(self) -> None:
        """Send on what the steps kept back.

        Raises:
            StepFailed: a step raised.
        """
        for node, operator in self._flushing:
            chunk = operator.flush()
            if len(chunk):
                self._run(node, chunk)

    def take_outputs(self) -> list[Output]:
        """The outputs so far, which are forgotten here."""
        outputs = self.outputs[:]
        self.outputs.clear()
        return outputs

    def _run(self, start: Node, chunk: Chunk) -> None:
        arrived: dict[Node, Chunk] = {start: chunk}
        for step in self._after[start]:
            incoming = [arrived[parent] for parent in step.parents if parent in arrived]
            if not incoming:
                continue
            try:
                if isinstance(step.operator, SplittingOperator):
                    parts = step.operator.split(concatenate(incoming))
                    arrived.update((o, parts[o.index]) for o in step.outputs if len(parts[o.index]))
                    continue
                result = step.operator.process(concatenate(incoming))
            except Exception as error:
                raise StepFailed(step.node) from error
            if len(result):
                arrived[step.node] = result

    def _inner_steps(self, sub: SubTopology) -> list[Step]:
        outputs: dict[Node, list[BranchOutputNode]] = {}
        for node in sub.steps:
            if isinstance(node, BranchOutputNode):
                outputs.setdefault(node.parents[0], []).append(node)
        return [
            Step(node, node.parents, build_operator(node, self._context), tuple(outputs.get(node, ())))
            for node in sub.steps
            if not isinstance(node, SourceNode | RepartitionNode | SinkNode | BranchOutputNode)
        ]

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


def _reachable(start: Node, steps: Sequence[Step]) -> tuple[Step, ...]:
    reached, found = {start}, []
    for step in steps:
        if any(parent in reached for parent in step.parents):
            reached.update((step.node, *step.outputs))
            found.append(step)
    return tuple(found)


def _source_chunk(source: Source, records: Records, *, ordered: bool) -> Chunk:
    keys = Column([None] * len(records)) if source.key_serde is None else Column(None, records.keys, source.key_serde)
    order = list(range(len(records))) if ordered else None
    return Chunk(keys, Column(None, records.values, source.value_serde), records.timestamps, records.headers, order)
