"""Values of one of several types, each marked with the number of its type: 1 byte, then the value's own bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from serde.base import GuardedSerde, Serde


@dataclass(frozen=True)
class TaggedSerde(GuardedSerde[tuple[int, Any]]):
    """Pairs (number, value), the number being the place of the value's serde; at most 256 of them."""

    serdes: tuple[Serde[Any], ...]

    @property
    def name(self) -> str:
        return f"one of {', '.join(serde.name for serde in self.serdes)}"

    def _encode_all(self, values: Sequence[tuple[int, Any]]) -> list[bytes]:
        return [bytes((number,)) + self.serdes[number].serialize(value) for number, value in values]

    def _decode_all(self, data: Sequence[bytes]) -> list[tuple[int, Any]]:
        return [(item[0], self.serdes[item[0]].deserialize(item[1:])) for item in data]
