"""Several inputs folded into one state: each value goes to the function of the input it came from.

Values travel as pairs (number of the input, value), so that the records of all inputs are one chunk in their order.
"""

from framework.chunk import Chunk
from framework.operators.aggregate import FoldOperator
from framework.operators.base import Inputs, merged


class CogroupOperator(FoldOperator):
    """A fold of several inputs."""

    def receive(self, inputs: Inputs) -> tuple[Chunk]:
        chunk, dropped = tagged(inputs)
        if dropped:
            self._dropped[self._name, "null key or value"] += dropped
        return (self.process(chunk),)


def tagged(inputs: Inputs) -> tuple[Chunk, int]:
    """The records of all inputs that have key and value, values as pairs (input, value); and how many have not."""
    chunks, dropped = [], 0
    for number, chunk in enumerate(inputs):
        if chunk is not None:
            kept = chunk.present()
            dropped += len(chunk) - len(kept)
            chunks.append(kept.with_values([(number, value) for value in kept.values.decoded]))
    return merged(chunks), dropped


def untagged(chunk: Chunk) -> Chunk:
    """The records with their own values again."""
    return chunk.with_values([value for _, value in chunk.values.decoded])
