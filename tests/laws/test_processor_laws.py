"""Laws of stateful classes: random programs of state and timers end as a model in plain Python says.

Any cut into chunks, any commits, crashes with or without the disk, any cache; and records that fail after they have
done their work leave nothing: no state, no timer, no result, no stream time.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from framework import App, Context, ListState, MapState, Processor, RecordError, Timer, Topic, ValueState, every
from framework.testing import TestDriver

TTL_MS = 3
CLOCK = "the wall clock"
Row = tuple[str, str, int]  # key, value, timestamp
Command = tuple[str, int]


class Machine(Processor[str, list[Command], str]):
    """Does what each record says, command by command."""

    total = ValueState(int, default=0)
    fresh = ValueState(list[int], ttl=f"{TTL_MS}ms")
    items = ListState(int)
    fading = ListState(int, ttl=f"{TTL_MS}ms")
    names = MapState(int, str)
    fading_names = MapState(int, int, ttl=f"{TTL_MS}ms")

    def process(self, value: list[Command], ctx: Context[str]) -> Iterator[str]:
        for command, n in value:
            match command:
                case "add":
                    self.total.set(self.total.get() + n)
                case "clear":
                    self.total.clear()
                    self.items.clear()
                    self.names.clear()
                    self.fresh.clear()
                case "keep":
                    kept = self.fresh.get() or []
                    kept.append(n)
                    self.fresh.set(kept)
                    kept.append(99)  # too late
                case "spoil":
                    (self.fresh.get() or []).append(98)  # what get() gives is a copy
                    self.items.get().append(98)
                case "append":
                    self.items.append(n)
                    self.fading.append(n)
                case "put":
                    self.names.put(n, f"n{n}")
                    self.fading_names.put(n, n)
                case "remove":
                    self.names.remove(n)
                    self.fading_names.remove(n)
                case "at":
                    ctx.timer(at=max(0, ctx.timestamp + n - 2))
                case "named":
                    ctx.timer(at=ctx.timestamp + n, name=f"t{n % 2}")
                case "again":
                    ctx.timer(at=ctx.timestamp + n, name="again")
                case "after":
                    ctx.timer(after=f"{n + 1}ms", name=f"w{n % 2}")
                case "delete":
                    ctx.delete_timer(f"t{n % 2}")
                case "show":
                    yield self.shown()
                    yield " ".join(str(t.name or t.at) for t in ctx.timers())
                case "fail":
                    raise ValueError("told to")

    def shown(self) -> str:
        return (
            f"{self.total.get()} {self.fresh.get()} {self.items.get()} {self.fading.get()} {self.names.items()} "
            f"{self.fading_names.keys()}"
        )

    def on_timer(self, timer: Timer, ctx: Context[str]) -> Iterator[str]:
        yield f"{timer.name} {timer.at} at {ctx.stream_time} {ctx.now}: {self.shown()}"
        if timer.name == "again":
            self.total.set(self.total.get() + 1)
            ctx.timer(at=timer.at + 2, name="t0")

    @every("5ms")
    def sums(self, ctx: Context[str]) -> Iterator[tuple[str, str]]:
        for key, total in self.total.all():
            yield key, f"every {ctx.stream_time}: {total}"


@dataclass
class Of:
    """The model's state of one key."""

    total: int | None = None
    fresh: tuple[list[int] | None, int] = (None, 0)
    items: list[int] = field(default_factory=list)
    fading: list[tuple[int, int]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    fading_names: dict[int, int] = field(default_factory=dict)
    timers: dict[Any, int] = field(default_factory=dict)  # by name, else by time
    walls: dict[str, int] = field(default_factory=dict)  # by name


class Model:
    def __init__(self) -> None:
        self.clock, self.now = -1, 0
        self.keys: dict[str, Of] = defaultdict(Of)
        self.rows: list[Row] = []

    def run(self, given_rows: list[tuple[str, list[Command], int]]) -> list[Row]:
        for key, commands, timestamp in given_rows:
            if key == CLOCK:
                self.advance(timestamp)
                continue
            if any(command == "fail" for command, _ in commands):
                continue
            before, self.clock = self.clock, max(self.clock, timestamp)
            for command, n in commands:
                self.do(key, command, n, timestamp)
            self.fire()
            if before // 5 < self.clock // 5:
                for each in sorted(self.keys):
                    if (total := self.keys[each].total) is not None:
                        self.rows.append((each, f"every {self.clock}: {total}", self.clock))
        return self.rows

    def do(self, key: str, command: str, n: int, timestamp: int) -> None:
        of = self.keys[key]
        match command:
            case "add":
                of.total = (of.total or 0) + n
            case "clear":
                of.total, of.items, of.names, of.fresh = None, [], {}, (None, 0)
            case "keep":
                of.fresh = ([*(self.fresh(of) or []), n], self.clock)
            case "append":
                of.items.append(n)
                of.fading.append((n, self.clock))
            case "put":
                of.names[n] = f"n{n}"
                of.fading_names[n] = self.clock
            case "remove":
                of.names.pop(n, None)
                of.fading_names.pop(n, None)
            case "at":
                at = max(0, timestamp + n - 2)
                of.timers[at] = at
            case "named":
                of.timers[f"t{n % 2}"] = timestamp + n
            case "again":
                of.timers["again"] = timestamp + n
            case "after":
                of.walls[f"w{n % 2}"] = self.now + n + 1
            case "delete":
                of.timers.pop(f"t{n % 2}", None)
            case "show":
                self.rows.append((key, self.shown(of), timestamp))
                events = [(at, name if isinstance(name, str) else "") for name, at in of.timers.items()]
                waiting = sorted([*events, *((at, name) for name, at in of.walls.items())])
                self.rows.append((key, " ".join(name or str(at) for at, name in waiting), timestamp))

    def fresh(self, of: Of) -> list[int] | None:
        return of.fresh[0] if of.fresh[1] + TTL_MS > self.clock else None

    def shown(self, of: Of) -> str:
        fading = [n for n, at in of.fading if at + TTL_MS > self.clock]
        fading_names = sorted(n for n, at in of.fading_names.items() if at + TTL_MS > self.clock)
        names = sorted(of.names.items())
        return f"{of.total or 0} {self.fresh(of)} {of.items} {fading} {names} {fading_names}"

    def fire(self) -> None:
        while due := sorted(
            (at, key, name if isinstance(name, str) else "", name)
            for key, of in self.keys.items()
            for name, at in of.timers.items()
            if at <= self.clock
        ):
            at, key, text, name = due[0]
            of = self.keys[key]
            del of.timers[name]
            self.rows.append((key, f"{text or None} {at} at {self.clock} {self.now}: {self.shown(of)}", at))
            if text == "again":
                of.total = (of.total or 0) + 1
                of.timers["t0"] = at + 2

    def advance(self, ms: int) -> None:
        target = self.now + ms
        while due := sorted(
            (at, key, n) for key, of in self.keys.items() for n, at in of.walls.items() if at <= target
        ):
            self.now, key, name = due[0]
            del self.keys[key].walls[name]
            said = f"{name} {self.now} at {max(0, self.clock)} {self.now}: {self.shown(self.keys[key])}"
            self.rows.append((key, said, max(0, self.clock)))
        self.now = target


@dataclass(frozen=True)
class Cut:
    chunk: int
    seed: int
    cache_entries: int
    max_uncommitted_keys: int
    backend: str
    events: dict[int, str]


NAMES = [
    "add",
    "clear",
    "keep",
    "keep",
    "spoil",
    "append",
    "put",
    "remove",
    "at",
    "named",
    "again",
    "after",
    "after",
    "delete",
    "show",
    "show",
    "fail",
]
commands = st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 6)), max_size=6)
steps = st.lists(st.tuples(st.sampled_from(["a", "a", "", CLOCK]), commands, st.integers(-3, 3)), max_size=20)
cuts = st.builds(
    Cut,
    chunk=st.sampled_from([1, 2, 3, 10]),
    seed=st.integers(0, 9),
    cache_entries=st.sampled_from([0, 2, 100]),
    max_uncommitted_keys=st.sampled_from([1, 5, 100]),
    backend=st.sampled_from(["memory", "memory", "memory", "memory", "memory", "rocksdb"]),
    events=st.dictionaries(st.integers(0, 14), st.sampled_from(["turn", "crash", "crash, disk kept"]), max_size=5),
)


def timed(steps: list[tuple[str, list[Command], int]]) -> list[tuple[str, list[Command], int]]:
    """Each record so much (ms) after the newest before it; some are older."""
    newest, timed_rows = 0, []
    for key, value, step in steps:
        if key == CLOCK:
            timed_rows.append((key, [], 2 + step // 2))
            continue
        timed_rows.append((key, value, max(0, newest + step)))
        newest = max(newest, newest + step)
    return timed_rows


def run(given_rows: list[tuple[str, list[Command], int]], cut: Cut) -> list[Row]:
    app = App("law")
    given: Topic[str, list[Command]] = app.topic("given", key=str, value=list[Command])
    results = app.topic("results", key=str, value=str)
    app.processor(given, to=results)(Machine)
    options: Any = {
        "chunk": cut.chunk, "seed": cut.seed, "backend": cut.backend,
        "cache_entries": cut.cache_entries, "max_uncommitted_keys": cut.max_uncommitted_keys,
    }  # fmt: skip
    with TestDriver(app, **options) as driver:
        for i, (key, value, timestamp) in enumerate(given_rows):
            if key == CLOCK:
                while not passing_over(lambda: driver.records(results)):
                    pass
                driver.advance(f"{timestamp}ms")
                continue
            passing_over(lambda: driver.send(given, value, key=key, at=timestamp))  # noqa: B023
            if event := cut.events.get(i):
                passing_over(driver.turn)
                if event != "turn":
                    driver.restart(keep_state=event == "crash, disk kept")
        while not passing_over(lambda: driver.records(results)):
            pass
        assert_no_expired_entry_is_left(driver)
        return [(record.key, record.value, record.timestamp_ms) for record in driver.records(results)]


def passing_over(work: Any) -> bool:
    """Do it; the driver passes over the record that fails."""
    try:
        work()
    except RecordError:
        return False
    return True


def assert_no_expired_entry_is_left(driver: TestDriver) -> None:
    timers = driver.store("Machine.timers")
    [clock] = [part.clock_ms for part in timers._parts]
    for name in ("fresh", "fading", "fading_names"):
        store = driver.store(f"Machine.{name}")
        assert all(store.timestamp(key) + TTL_MS > clock for key, _ in store.items())


@settings(max_examples=max(60, settings().max_examples))
@given(given_rows=steps.map(timed), cut=cuts)
def test_states_and_timers_do_as_the_model_however_input_is_cut(
    given_rows: list[tuple[str, list[Command], int]], cut: Cut
) -> None:
    assert run(given_rows, cut) == Model().run(given_rows)
