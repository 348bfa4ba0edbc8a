"""Nodes of stateful classes and of handlers that need more than a comprehension.

A class has one store per declared state, named after the step and the attribute, and one more, `<step>.timers`, for
what belongs to all of them: the step's clock, its timers, and when which entry expires.

| state | key of an entry | value |
|---|---|---|
| value | the record's key | the value |
| list | the record's key | the list; with a time to live, pairs of the time of writing and the element |
| map | length of the record's key (4), the record's key, the map's key | the value |

The time of an entry is the stream time at which it was written.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Literal

from framework.plan.nodes import Node, Origin, SourceNode
from framework.plan.timer_keys import TimerKeySerde
from framework.plan.topics import serde_for
from framework.plan.types import UNKNOWN
from serde import Serde
from serde.pairs import PairSerde
from state import StoreSpec

Clock = Literal["event", "wall"]
TIMERS = "timers"
INITIAL = "initial topic"
"""The mark of a store that a topic fills."""


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that fires, or one that waits.

    Attributes:
        at: its time (ms since the epoch), of the clock it belongs to.
        name: what it was set under; None: it has only its time.
        clock: "event" for stream time, "wall" for the time of day.
    """

    at: int
    name: str | None = None
    clock: Clock = "event"


@dataclass(frozen=True)
class State:
    """One state of a class: the attribute that holds it, and what it was declared as.

    Attributes:
        element: the type of a value, of an element of a list, or of a value of a map.
        map_key: the type of a map's keys.
        ttl_ms: an entry is forgotten when stream time has moved on so far since it was written; None: never.
    """

    attribute: str
    kind: Literal["value", "list", "map"]
    element: object
    map_key: object = None
    default: Any = None
    ttl_ms: int | None = None
    origin: Origin | None = None

    def spec(self, step: str, key_serde: Serde[Any]) -> StoreSpec:
        """The store of this state. Raises SerdeError."""
        name = f"{step}.{self.attribute}"
        if self.kind == "map":
            pairs = PairSerde(key_serde, serde_for(self.map_key))
            return StoreSpec(name, pairs, serde_for(self.element), is_ordered=True)
        if self.kind == "list":
            element = self.element if self.ttl_ms is None else GenericAlias(tuple, (int, _known(self.element)))
            return StoreSpec(name, key_serde, serde_for(GenericAlias(list, (_known(element),))))
        return StoreSpec(name, key_serde, serde_for(self.element))


@dataclass(frozen=True)
class Periodic:
    """A method of a class that is called at every multiple of an interval (ms)."""

    method: str
    interval_ms: int
    clock: Clock


@dataclass(frozen=True, eq=False, kw_only=True)
class ProcessorNode(Node):
    """Calls a class of the user's with each record; one instance per task.

    Attributes:
        processor: the class.
        initial: attributes of the states that a topic fills, as the parents after the first, which are their sources.
        has_timers: it has an `on_timer`.
        several: the methods that return no single result but several: "process", "on_timer" or both.
    """

    processor: type
    states: tuple[State, ...]
    periodics: tuple[Periodic, ...]
    initial: tuple[str, ...]
    has_timers: bool
    several: frozenset[str]

    @property
    def timers(self) -> str:
        """The store of the clock and the timers."""
        return f"{self.name}.{TIMERS}"

    def store_specs(self) -> tuple[StoreSpec, ...]:
        key_serde = serde_for(self.key.known)
        timers = StoreSpec(self.timers, TimerKeySerde(key_serde), serde_for(UNKNOWN), has_clock=True, is_ordered=True)
        return (*(state.spec(self.name, key_serde) for state in self.states), timers)

    def marks(self, store: str) -> dict[str, int | str]:
        for state in self.states:
            if store == f"{self.name}.{state.attribute}":
                marks: dict[str, int | str] = {
                    "kind": state.kind,
                    "time to live": "none" if state.ttl_ms is None else "some",
                }
                if state.attribute in self.initial:
                    source = self.parents[1 + self.initial.index(state.attribute)]
                    marks[INITIAL] = source.topic.name if isinstance(source, SourceNode) else source.name
                return marks
        return {}


@dataclass(frozen=True, eq=False, kw_only=True)
class HandleNode(Node):
    """Calls a function of the user's that is async, takes the context, or takes a whole chunk.

    Attributes:
        kind: what calling it gives: a result, several (a generator), or one list for a list of values.
        concurrency: how many calls of an async function may be under way at once.
    """

    function: Callable[..., Any]
    kind: Literal["one", "several", "batch"]
    is_async: bool
    takes_context: bool
    concurrency: int


def topic_of(node: Node) -> str | None:
    """The topic that all records of a step come from; None if there are several."""
    topics: set[str] = set()
    waiting, seen = [node], {node}
    while waiting:
        current = waiting.pop()
        if isinstance(current, SourceNode):
            topics.add(current.topic.name)
        new: Sequence[Node] = [parent for parent in current.parents if parent not in seen]
        seen.update(new)
        waiting.extend(new)
    return topics.pop() if len(topics) == 1 else None


def _known(tp: object) -> object:
    return Any if tp is UNKNOWN else tp
