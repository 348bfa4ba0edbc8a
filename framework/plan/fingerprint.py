"""What a program leaves in its stores, as data that is kept with them, so that a changed program notices.

A step may be added, removed, or do something else to what it passes on; its store does not care. But a store that a
count filled is no store of a sum, one of 10 s windows none of 60 s windows, and values that cannot be read any more
should be known before the first of them is met.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import msgspec

from framework.errors import ProgramChanged
from framework.plan.nodes import Node
from framework.plan.plan import Plan, StorePlan
from framework.plan.processors import INITIAL
from serde.shapes import Shape, difference, shape_of

# Names of fields of nodes, and of what they hold, that say what a store's keys and values mean. All others may change.
_DECISIVE = {
    "kind",
    "size_ms",
    "advance_ms",
    "offset_ms",
    "gap_ms",
    "difference_ms",
    "history_ms",
    "before_ms",
    "after_ms",
    "within_ms",
    "period_ms",
}


_CHANGELOG = "its changelog"


class Fingerprint(msgspec.Struct, frozen=True):
    """What a store holds: by which step, with which sizes, in which formats, and what its position counts in."""

    step: str
    sizes: dict[str, int | str]
    key: Shape
    value: Shape
    log: str = _CHANGELOG

    @property
    def is_source(self) -> bool:
        """True if it has no changelog."""
        return self.log != _CHANGELOG


def fingerprints(plan: Plan) -> dict[str, Fingerprint]:
    """The fingerprint of each store."""
    return {store.name: _fingerprint(store) for sub in plan.sub_topologies for store in sub.stores}


def _fingerprint(store: StorePlan) -> Fingerprint:
    sizes = {**dict(_decisive(store.node)), **store.node.marks(store.name)}
    log = f"the topic {store.changelog}" if store.is_source else _CHANGELOG
    return Fingerprint(store.node.verb, sizes, shape_of(store.spec.key_serde), shape_of(store.spec.value_serde), log)


def _decisive(part: Any) -> dict[str, int | str]:
    found: dict[str, int | str] = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if field.name in _DECISIVE and isinstance(value, int | str):
            found[field.name] = value
        elif dataclasses.is_dataclass(value) and not isinstance(value, Node | type):
            found.update({"window": type(value).__name__} if field.name == "windows" else {})
            found.update(_decisive(value))
    return found


def check(plan: Plan, before: Mapping[str, Fingerprint]) -> None:
    """Compare a plan with what the stores were filled by.

    Raises:
        ProgramChanged: a step does not fit the state it left.
    """
    stores = {store.name: store for sub in plan.sub_topologies for store in sub.stores}
    for name, now in fingerprints(plan).items():
        if name in before and (reason := _mismatch(now, before[name])):
            node = stores[name].node
            raise ProgramChanged(
                f'{node.origin}: the step "{node.name}" does not fit the state it left in "{name}": {reason}.\n'
                "Set it back; or give the step another name (name=…), under which it begins anew, or with the old "
                "state if a function declared with @app.migrate converts it; or start over with `penstock reset`."
            )


def _mismatch(now: Fingerprint, before: Fingerprint) -> str | None:
    if now.step != before.step:
        return f"it was {before.step}() and is {now.step}()"
    if now.log != before.log:
        return f"it was restored from {before.log} and is from {now.log} (App(reuse_source_topics=…))"
    # Reason: a topic that fills a state would write over what it holds; that it fills it no more does no harm.
    for size in sorted({*now.sizes, *before.sizes}):
        if now.sizes.get(size) != before.sizes.get(size) and not (size == INITIAL and size not in now.sizes):
            return f"its {size} was {before.sizes.get(size)} and is {now.sizes.get(size)}"
    if now.key != before.key:
        return f"its keys have changed: {difference(now.key, before.key) or 'they are of another type'}"
    reason = difference(now.value, before.value)
    return f"its values have changed: {reason}" if reason else None
