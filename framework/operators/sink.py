"""The end of a path: records encoded for a topic, kept until the task's chunk has succeeded."""

from dataclasses import dataclass
from typing import Any

from framework.chunk import Chunk
from framework.operators.base import Operator, empty_chunk
from framework.plan.plan import Sink
from framework.records import Headers


@dataclass(slots=True)
class Output:
    """Encoded records for a topic, as parallel lists; the partition follows from the key."""

    topic: str
    keys: list[bytes | None]
    values: list[bytes | None]
    timestamps: list[int]
    headers: list[Headers | None] | None

    def __len__(self) -> int:
        return len(self.timestamps)


class SinkOperator(Operator):
    """Adds what arrives to the outputs of the task."""

    def __init__(self, sink: Sink, outputs: list[Output]) -> None:
        self._topic, self._key_serde, self._value_serde = sink.topic, sink.key_serde, sink.value_serde
        self._outputs = outputs

    def process(self, chunk: Chunk) -> Chunk:
        keys: list[Any] = [None] * len(chunk) if self._key_serde is None else chunk.keys.encoded(self._key_serde)
        values = chunk.values.encoded(self._value_serde)
        self._outputs.append(Output(self._topic, keys, values, chunk.timestamps, chunk.headers))
        return empty_chunk()
