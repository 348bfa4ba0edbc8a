# ruff: noqa: ARG002  # these methods are signatures; what runs is bound to the store of a task
"""Stateful classes: what users write. `Processor` is called with each record; its states belong to the record's key.

States are declared in the body of the class and used in its methods; what runs behind them is in `operators`. Each is a
store of its own with its own changelog. Any other attribute of the instance is no state: it is neither kept, nor undone
when a record fails.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, Literal, NoReturn, TypeVar, overload

from framework.dsl.origin import user_line
from framework.dsl.topics import Topic
from framework.durations import Duration
from framework.errors import DeclarationError
from framework.plan.processors import Clock, Timer
from framework.records import Headers

K = TypeVar("K")
V = TypeVar("V")
R = TypeVar("R")
T = TypeVar("T")
M = TypeVar("M")
D = TypeVar("D")
F = TypeVar("F", bound=Callable[..., Any])


class Context(Generic[K]):
    """The record in hand, and the timers of its key; true until the method that got it returns.

    Attributes:
        key: the record's key; in a method with `@every` None.
        timestamp: the record's time (ms since the epoch); of a timer its time, for the wall clock stream time.
        headers: the record's; empty for timers.
        partition: the number of the task's partition.
        topic: where all records of this step come from; None if that may be several topics.
        stream_time: the greatest timestamp that the step has seen in its task (ms); the record in hand counts.
        now: the wall clock (ms since the epoch).
    """

    key: K
    timestamp: int
    headers: Headers
    partition: int
    topic: str | None
    stream_time: int
    now: int

    @overload
    def timer(self, *, at: int, name: str | None = None) -> Timer: ...

    @overload
    def timer(self, *, after: Duration, name: str | None = None) -> Timer: ...

    def timer(self, *, at: int | None = None, after: Duration | None = None, name: str | None = None) -> Timer:
        """Have `on_timer` called for this key: when stream time reaches `at` (ms), or `after` a time of the wall clock.

        A key may have many. One with a name that is set already is moved; without a name its time is what it is known
        by, so setting it twice is one timer. `at` in the past: right after this record.
        """
        raise _unbound("ctx.timer()", None)

    def timers(self) -> list[Timer]:
        """The timers that wait for this key, by time."""
        raise _unbound("ctx.timers()", None)

    def delete_timer(self, timer: Timer | str) -> None:
        """Forget a timer of this key, given itself or its name; nothing happens if it does not wait."""
        raise _unbound("ctx.delete_timer()", None)


class Processor(Generic[K, V, R]):
    """A class that is called with each record, with state per key; write `process`, and the others as you need them.

    There is one instance per task (a partition), made without arguments.
    """

    def open(self, ctx: Context[K]) -> None:
        """Called once, before the first record of the task; there is no key yet."""

    def process(self, value: V, ctx: Context[K]) -> Iterator[R] | R | None:
        """Called with each record: a result, None for nothing, or several by `yield`.

        Results keep key, timestamp and headers of the record.
        """
        raise NotImplementedError

    def on_timer(self, timer: Timer, ctx: Context[K]) -> Iterator[R] | R | None:
        """Called for each timer that fires; results have its key and its time, see `Context.timestamp`."""
        raise NotImplementedError


class StateDeclaration:
    """What the three kinds share: how a state was declared."""

    kind: Literal["value", "list", "map"]

    def __init__(
        self,
        element: object,
        *,
        map_key: object = None,
        default: object = None,
        ttl: Duration | None,
        initial: Topic[Any, Any] | None = None,
    ) -> None:
        self.element, self.map_key, self.default, self.ttl, self.initial = element, map_key, default, ttl, initial
        self.origin = user_line()

    def _unbound(self) -> NoReturn:
        raise _unbound(type(self).__name__, self.origin)


class ValueState(StateDeclaration, Generic[T]):
    """One value per key.

    Args:
        type: its type.
        default: what `get` returns while there is none.
        ttl: it is forgotten when stream time has moved on so far since it was set.
        initial: a topic of values by key. Each of its records sets the value of its key, a tombstone clears it; they
            go before all other records of the task, so what the topic holds is there when the first of these comes.
            The topic may in turn be filled from a file: `app.topic(…, fill="limits.csv")`.
    """

    kind = "value"

    @overload
    def __init__(
        self: "ValueState[D | None]",
        type: type[D],
        *,
        ttl: Duration | None = None,
        initial: Topic[Any, D] | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self, type: type[T], *, default: T, ttl: Duration | None = None, initial: Topic[Any, T] | None = None
    ) -> None: ...

    def __init__(
        self, type: Any, *, default: Any = None, ttl: Duration | None = None, initial: Topic[Any, Any] | None = None
    ) -> None:
        super().__init__(type, default=default, ttl=ttl, initial=initial)

    def get(self) -> T:
        """The value of the current key, or the default."""
        self._unbound()

    def set(self, value: T) -> None:
        """Keep another value for the current key; not None, see `clear`."""
        self._unbound()

    def exists(self) -> bool:
        """True if the current key has a value."""
        self._unbound()

    def clear(self) -> None:
        """Forget the value of the current key."""
        self._unbound()

    def all(self) -> Iterator[tuple[Any, T]]:
        """Key and value of every key of this task, in the order of the keys' bytes."""
        self._unbound()


class ListState(StateDeclaration, Generic[T]):
    """A list per key, kept as one entry: for tens or hundreds of elements, not for millions.

    Args:
        type: the type of an element.
        ttl: an element is forgotten when stream time has moved on so far since it was added.
        initial: a topic of lists by key, see `ValueState`.
    """

    kind = "list"

    def __init__(
        self, type: type[T], *, ttl: Duration | None = None, initial: Topic[Any, list[T]] | None = None
    ) -> None:
        super().__init__(type, ttl=ttl, initial=initial)

    def get(self) -> list[T]:
        """The elements of the current key, oldest first."""
        self._unbound()

    def put(self, elements: Iterable[T]) -> None:
        """Keep these elements instead; at least one."""
        self._unbound()

    def append(self, element: T) -> None:
        """Add an element at the end."""
        self._unbound()

    def extend(self, elements: Iterable[T]) -> None:
        """Add elements at the end; at least one."""
        self._unbound()

    def exists(self) -> bool:
        """True if the current key has at least one element."""
        self._unbound()

    def clear(self) -> None:
        """Forget the elements of the current key."""
        self._unbound()

    def all(self) -> Iterator[tuple[Any, list[T]]]:
        """Key and elements of every key of this task, in the order of the keys' bytes."""
        self._unbound()


class MapState(StateDeclaration, Generic[M, T]):
    """Values by a second key, per key; each is an entry of its own, so a map may be large.

    Args:
        key_type: the type of the map's keys.
        value_type: the type of its values.
        ttl: a key of the map is forgotten when stream time has moved on so far since it was put.
        initial: a topic of dicts by key, see `ValueState`.
    """

    kind = "map"

    def __init__(
        self,
        key_type: type[M],
        value_type: type[T],
        *,
        ttl: Duration | None = None,
        initial: Topic[Any, dict[M, T]] | None = None,
    ) -> None:
        super().__init__(value_type, map_key=key_type, ttl=ttl, initial=initial)

    @overload
    def get(self, key: M) -> T | None: ...

    @overload
    def get(self, key: M, default: D) -> T | D: ...

    def get(self, key: M, default: Any = None) -> Any:
        """The value of a key of the map, else the default."""
        self._unbound()

    def put(self, key: M, value: T) -> None:
        """Keep a value under a key of the map; neither is None."""
        self._unbound()

    def remove(self, key: M) -> None:
        """Forget a key of the map, if it is there."""
        self._unbound()

    def items(self) -> list[tuple[M, T]]:
        """Keys and values of the map, in the order of the keys' bytes."""
        self._unbound()

    def keys(self) -> list[M]:
        """The keys of the map, in the order of their bytes."""
        self._unbound()

    def values(self) -> list[T]:
        """The values of the map, in the order of the keys' bytes."""
        self._unbound()

    def exists(self) -> bool:
        """True if the map has at least one key."""
        self._unbound()

    def clear(self) -> None:
        """Forget the whole map of the current key."""
        self._unbound()

    def all(self) -> Iterator[tuple[Any, tuple[M, T]]]:
        """Key, and key and value of its map, of every key of this task, in the order of the keys' bytes."""
        self._unbound()

    def __contains__(self, key: M) -> bool:
        self._unbound()

    def __len__(self) -> int:  # noqa: PLE0303  # it does not return
        self._unbound()


class Every:
    """What `every` leaves on a method: how often it is called, and by which clock."""

    def __init__(self, interval: Duration, clock: Clock) -> None:
        self.interval, self.clock = interval, clock


def every(interval: Duration, *, clock: Clock = "event") -> Callable[[F], F]:
    """Have a method of a `Processor` called as `method(ctx)` at every multiple of an interval, once per task.

    By stream time (`clock="event"`): after the record that reached or passed the multiple, at the first record too. By
    the wall clock: between records. However many multiples were passed at once, it is called once. There is no key:
    states are read with `all()`, and results are pairs of key and value, returned as a list or by `yield`; their
    timestamp is stream time.
    """

    def mark(method: F) -> F:
        method.__dict__["_penstock_every"] = Every(interval, clock)
        return method

    return mark


def _unbound(what: str, origin: object) -> DeclarationError:
    where = f"{origin}: " if origin is not None else ""
    return DeclarationError(
        f"{where}{what} is used outside of a running Processor: states are declared in the body of a class derived "
        "from Processor and used in its methods, with the context that they are given."
    )
