"""About how many different values: HyperLogLog sketches of Apache DataSketches, as the state of an aggregation.

A sketch of 2**12 registers takes at most 4 KB and is off by 1.6 % (one standard deviation); few values are counted
exactly. The library is optional, and imported only by those who use it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasketches import hll_sketch, hll_union, tgt_hll_type

from framework.plan.nodes import Aggregation
from serde import Serde
from serde.base import GuardedSerde

_LG_REGISTERS = 12


@dataclass(frozen=True)
class SketchSerde(GuardedSerde[Any]):
    """A sketch in the library's own compact form."""

    name = "hll"

    def _encode_all(self, values: Any) -> list[bytes]:
        return [sketch.serialize_compact() for sketch in values]

    def _decode_all(self, data: Any) -> list[Any]:
        return list(map(hll_sketch.deserialize, data))


def distinct(values: Serde[Any], of: Callable[[Any], Any] | None) -> Aggregation:
    """Counts different values; two are the same if their bytes are."""

    def add(sketch: Any, value: Any) -> Any:
        kept = value if of is None else of(value)
        # Reason: the library takes text; this text has one character for each byte.
        sketch.update(values.serialize(kept).decode("latin-1"))
        return sketch

    return Aggregation(
        "fold",
        add,
        lambda: hll_sketch(_LG_REGISTERS, tgt_hll_type.HLL_8),
        merge=_merged,
        result=lambda sketch: round(sketch.get_estimate()),
        serde=SketchSerde(),
        copy=lambda sketch: hll_sketch.deserialize(sketch.serialize_compact()),
    )


def _merged(left: Any, right: Any) -> Any:
    union = hll_union(_LG_REGISTERS)
    union.update(left)
    union.update(right)
    return union.get_result(tgt_hll_type.HLL_8)
