"""Cases of Structured Streaming: arbitrary state, timers and time to live, as classes.

A micro-batch works on its rows at the time to which the clock has gone, before its timers: so the clock is set, the
rows are sent, then what is due fires. Time to live goes by stream time here, so the rows carry that time.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from framework import App, Context, ListState, MapState, Processor, RecordError, Timer, Topic, ValueState
from framework.errors import ProgramChanged
from framework.testing import TestDriver
from tests.vectors.runner import Case, structured


class Run:
    """An app with one class, and the clock of the case (seconds)."""

    def __init__(self, processor: type[Processor[str, Any, Any]], value: Any = str, result: Any = str) -> None:
        self.processor, self.value, self.result, self.clock_s = processor, value, result, 0.0
        self.given, self.results, app = self._declare(processor)
        self.driver = TestDriver(app)

    def _declare(self, processor: type[Processor[str, Any, Any]]) -> tuple[Topic[str, Any], Topic[str, Any], App]:
        app = App("case")
        given = app.topic("given", key=str, value=self.value)
        results = app.topic("results", key=str, value=self.result)
        app.processor(given, to=results, name="P")(processor)
        return given, results, app

    def restart(self, processor: type[Processor[str, Any, Any]] | None = None) -> None:
        if processor is None:
            self.driver.restart()
        else:
            given, results, app = self._declare(processor)
            self.driver.restart(app)
            self.given, self.results = given, results

    def batch(self, rows: list[tuple[str, Any]], clk: float = 0) -> list[tuple[str, Any]]:
        """The results of one batch."""
        self.clock_s += clk
        self.driver.now_ms = int(self.clock_s * 1000)
        for key, value in rows:
            self.driver.send(self.given, value, key=key)
        self.driver.advance("0s")
        return self.driver.read(self.results)


def run_letters(run: Run, case: Case) -> None:
    """Each row is a letter, key and value alike."""
    with run.driver:
        for number, step in enumerate(case["steps"], start=1):
            if step == "restart":
                run.restart()
                continue
            got = run.batch([(letter, letter) for letter in step.get("in", [])], step.get("clk", 0))
            assert Counter(got) == Counter(map(tuple, step["new"])), f"step {number}"


class CountToTwo(Processor[str, str, str]):
    """Forgets the key at the third record."""

    count = ValueState(int, default=0)
    at_three: str | None = None

    def process(self, value: str, ctx: Context[str]) -> str | None:
        if self.count.get() == 2:
            self.count.clear()
            return self.at_three
        self.count.set(self.count.get() + 1)
        return str(self.count.get())


class CountToTwoThenMinusOne(CountToTwo):
    at_three = "-1"


class TimedOut(CountToTwo):
    """10 s after the last record of a key it is forgotten."""

    def process(self, value: str, ctx: Context[str]) -> str | None:
        ctx.timer(after="10s", name="timeout")
        self.count.set(self.count.get() + 1)
        return str(self.count.get())

    def on_timer(self, timer: Timer, ctx: Context[str]) -> str:
        self.count.clear()
        return "-1"


class FirstSight(CountToTwo):
    """5 s after its first record a key is forgotten."""

    def process(self, value: str, ctx: Context[str]) -> str | None:
        if not self.count.exists() and ctx.key in ("a", "c"):
            ctx.timer(after="5s")
        return super().process(value, ctx)

    def on_timer(self, timer: Timer, ctx: Context[str]) -> str:
        self.count.clear()
        return "-1"


class Postponed(FirstSight):
    """The second record of a puts its timer off."""

    def process(self, value: str, ctx: Context[str]) -> str | None:
        if ctx.key == "a" and self.count.exists():
            [first] = ctx.timers()
            ctx.delete_timer(first)
            ctx.timer(after="7500ms")
        elif ctx.key == "a":
            ctx.timer(after="5s")
        return CountToTwo.process(self, value, ctx)


LETTERS = {
    "V-I2": CountToTwoThenMinusOne,
    "V-I3": TimedOut,
    "V-J1": CountToTwo,
    "V-J2": FirstSight,
    "V-J3": Postponed,
}


@structured(*LETTERS)
def test_counts_and_timers_of_letters(case: Case) -> None:
    run_letters(Run(LETTERS[case["id"]]), case)


@structured("V-I7")
def test_v_i7_count_per_word(case: Case) -> None:
    [words, _] = case["cases"]
    run = Run(CountToTwo)
    with run.driver:
        assert run.batch([(word, word) for word in words["in"]]) == [tuple(row) for row in words["new"]]


class Lists(Processor[str, list[str], str]):
    items = ListState(str)

    def process(self, value: list[str], ctx: Context[str]) -> Iterator[str]:
        match value:
            case ["emit", text]:
                yield text
            case ["append", text]:
                self.items.append(text)
            case ["appendList", text]:
                self.items.extend(text.split(","))
            case ["put", text]:
                self.items.put(text.split(","))
            case ["remove"]:
                self.items.clear()
            case ["emitAll"]:
                yield from self.items.get()
                self.items.clear()


@structured("V-J7")
def test_v_j7_list_state(case: Case) -> None:
    run = Run(Lists, list[str])
    with run.driver:
        for number, step in enumerate(case["steps"], start=1):
            got = run.batch([(key, command) for key, *command in step["in"]])
            assert Counter(got) == Counter(map(tuple, step["new"])), f"step {number}"
            for size in step.get("state", []):
                assert len(run.driver.store("P.items")) == size, f"step {number}"


class Maps(Processor[str, list[str], list[str]]):
    pairs = MapState(str, int)

    def process(self, value: list[str], ctx: Context[str]) -> Iterator[list[str]]:
        match value:
            case ["put", key, number]:
                self.pairs.put(key, int(number))
            case ["get", key]:
                yield [key, str(self.pairs.get(key))]
            case ["exists"]:
                yield [str(self.pairs.exists())]
            case ["containsKey", key]:
                yield [key, str(key in self.pairs)]
            case ["iterator"]:
                yield from ([key, str(number)] for key, number in self.pairs.items())
            case ["keys"]:
                yield from ([key] for key in self.pairs.keys())  # noqa: SIM118  # a state, not a dict
            case ["values"]:
                yield from ([str(number)] for number in self.pairs.values())
            case ["removeKey", key]:
                self.pairs.remove(key)
            case ["clear"]:
                self.pairs.clear()


@structured("V-J8")
def test_v_j8_map_state(case: Case) -> None:
    run = Run(Maps, list[str], list[str])
    with run.driver:
        for number, step in enumerate(case["steps"], start=1):
            got = run.batch([(key, [str(part) for part in command]) for key, *command in step["in"]])
            assert got == [(key, [str(part) for part in rest]) for key, *rest in step["new"]], f"step {number}"
            for size in step.get("state", []):
                assert len(run.driver.store("P.pairs")) == size, f"step {number}"


class Refused(Processor[str, str, str]):
    items = ListState(str)
    pairs = MapState(str, int)

    def process(self, value: str, ctx: Context[str]) -> None:
        none: Any = None
        {
            "append null": lambda: self.items.append(none),
            "append list with null": lambda: self.items.extend(["a", none]),
            "put null": lambda: self.items.put(none),
            "put empty list": lambda: self.items.put([]),
            "append empty list": lambda: self.items.extend([]),
            "null map key": lambda: self.pairs.put(none, 1),
            "null map value": lambda: self.pairs.put("a", none),
        }[value]()


@structured("V-J7", "V-J8")
def test_v_j7_and_v_j8_what_a_state_refuses(case: Case) -> None:
    assert case["errors"]
    for command in case["errors"]:
        run = Run(Refused)
        with run.driver, pytest.raises(RecordError, match="ValueError"):
            run.batch([("k", command)])


class ShortLived(Processor[str, list[str], str]):
    number = ValueState(int, ttl="60s")
    numbers = ListState(int, ttl="60s")
    by_name = MapState(str, int, ttl="60s")

    def process(self, value: list[str], ctx: Context[str]) -> Iterator[str]:
        kind, command, *rest = value
        match kind, command:
            case "value", "put":
                self.number.set(int(rest[0]))
            case "value", "get":
                yield from (str(number) for number in [self.number.get()] if number is not None)
            case "list", "put":
                self.numbers.put([int(rest[0])])
            case "list", "append":
                self.numbers.append(int(rest[0]))
            case "list", "get":
                yield from map(str, self.numbers.get())
            case "map", "put":
                self.by_name.put("m", int(rest[0]))
            case "map", "get":
                yield from (str(number) for number in [self.by_name.get("m")] if number is not None)


STORES = {"value": "P.number", "list": "P.numbers", "map": "P.by_name"}


@structured("V-J9")
@pytest.mark.parametrize("kind", STORES)
@pytest.mark.parametrize("name", ["evict", "refresh", "only_expired"])
def test_v_j9_time_to_live(case: Case, kind: str, name: str) -> None:
    run = Run(ShortLived, list[str])
    with run.driver:
        for number, step in enumerate(case[name], start=1):
            for _ in range({"three reads": 3, "two reads": 2}.get(" ".join(step.get("note", "").split()[:2]), 0)):
                assert run.batch([("k", [kind, "get"])], 1) == [("k", "1")]
            if step.get("in") == ["raw_get"]:
                assert len(run.driver.store(STORES[kind])) == 0
                continue
            rows = [command.split() for command in step.get("in", [])]
            keyed = [row if row[0].startswith("k") else ["k", *row] for row in rows]
            got = run.batch([(key, [kind, *command]) for key, *command in keyed], step.get("clk", 0))
            expected = [row if isinstance(row, list) else ["k", row] for row in step.get("new", [])]
            assert got == [(key, str(value)) for key, value in expected], f"step {number}"


@structured("V-J10")
def test_v_j10_each_element_of_a_list_expires_on_its_own(case: Case) -> None:
    run = Run(ShortLived, list[str])
    with run.driver:
        for step in case["list"]:
            clk = step.get("clk", 1 if "one read" in step.get("note", "") else 0)
            rows = [("k", ["list", *command.split()]) for command in step.get("in", [])]
            got = run.batch(rows, clk)
            if "new" in step:
                assert got == [("k", str(value)) for value in step["new"]]


class ShortLivedMap(Processor[str, list[str], list[str]]):
    by_name = MapState(str, int, ttl="60s")

    def process(self, value: list[str], ctx: Context[str]) -> list[str] | None:
        match value:
            case [name, "put", number]:
                self.by_name.put(name, int(number))
            case [name, "get"]:
                found = self.by_name.get(name)
                return None if found is None else [name, str(found)]
        return None


@structured("V-J10")
def test_v_j10_each_key_of_a_map_expires_on_its_own(case: Case) -> None:
    run = Run(ShortLivedMap, list[str], list[str])
    with run.driver:
        for number, step in enumerate(case["map"], start=1):
            got = run.batch([("k", command.split()) for command in step["in"]], step["clk"])
            assert [row for _, row in got] == [[n, str(v)] for n, v in step.get("new", [])], f"step {number}"
            for size in step.get("state", []):
                assert len(run.driver.store("P.by_name")) == size, f"step {number}"


# V-J12: the class changes while its state stays


@dataclass
class CountV1:
    count: int


@dataclass
class CountV2:
    active: bool = False
    score: float = 0.0
    count: int = 0


def counting(element: Any, **options: Any) -> type[Processor[str, str, str]]:
    """A class that counts in a state `count` of this type."""

    class Counting(Processor[str, str, str]):
        count = ValueState(element, default=0, **options)

        def process(self, value: str, ctx: Context[str]) -> str:
            self.count.set(self.count.get() + 1)
            return str(self.count.get())

    return Counting


class CountAndRecent(Processor[str, str, str]):
    count = ValueState(int, default=0)
    recent = ValueState(str, default="")

    def process(self, value: str, ctx: Context[str]) -> str:
        before = self.recent.get()
        self.count.set(self.count.get() + 1)
        self.recent.set(value)
        return f"{self.count.get()},{before}"


class Recent(Processor[str, str, str]):
    recent = ValueState(str, default="")

    def process(self, value: str, ctx: Context[str]) -> str:
        before = self.recent.get()
        self.recent.set(value)
        return before


class CountWithTimer(Processor[str, str, str]):
    count = ValueState(int, default=0)
    sightings = ListState(str)

    def process(self, value: str, ctx: Context[str]) -> str:
        ctx.timer(after="10s")
        self.count.set(self.count.get() + 1)
        self.sightings.append(value)
        return str(self.count.get())

    def on_timer(self, timer: Timer, ctx: Context[str]) -> None: ...


class ListNamedCount(Processor[str, str, str]):
    count = ListState(int)

    def process(self, value: str, ctx: Context[str]) -> str:
        self.count.append(1)
        return str(len(self.count.get()))


class Named(Processor[str, str, str]):
    count = ValueState(str)

    def process(self, value: str, ctx: Context[str]) -> str | None:
        return self.count.get()


@structured("V-J12")
def test_v_j12_dropped_state_leaves_the_others_alone(case: Case) -> None:
    before, _, after = case["cases"][0]["steps"]
    run = Run(CountAndRecent)
    with run.driver:
        got = run.batch([tuple(row) for row in before["in"]])
        assert got == [(key, f"{count},{recent}") for key, count, recent in before["new"]]
        run.restart(Recent)
        assert run.batch([tuple(row) for row in after["in"]]) == [tuple(row) for row in after["new"]]


@structured("V-J12")
def test_v_j12_new_state_and_timers_start_empty_beside_the_old_state(case: Case) -> None:
    before, _, after = case["cases"][1]["steps"]
    run = Run(counting(int))
    with run.driver:
        assert run.batch([(letter, letter) for letter in before["in"]]) == [tuple(row) for row in before["new"]]
        run.restart(CountWithTimer)
        assert run.batch([(letter, letter) for letter in after["in"]]) == [tuple(row) for row in after["new"]]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        pytest.param(ListNamedCount, "its kind was value and is list", id="value to list"),
        pytest.param(Named, "its values have changed: it was int and is str", id="int to str"),
        pytest.param(counting(float), "its values have changed: it was int and is float", id="int to float"),
        pytest.param(counting(int, ttl="1h"), "its time to live was none and is some", id="time to live added"),
    ],
)
def test_v_j12_state_of_another_form_under_the_same_name_is_refused(after: Any, said: str) -> None:
    run = Run(counting(int))
    with run.driver:
        run.batch([("a", "a")])
        with pytest.raises(ProgramChanged, match=f'the step "P" does not fit the state it left in "P.count": {said}'):
            run.restart(after)
        assert run.batch([("a", "a")]) == [("a", "2")]


def test_v_j12_time_to_live_may_become_longer_or_shorter() -> None:
    run = Run(counting(int, ttl="10s"))
    with run.driver:
        run.batch([("a", "a")])
        run.restart(counting(int, ttl="30s"))
        assert run.batch([("b", "b")], 20) == [("b", "1")]
        assert run.batch([("a", "a")]) == [("a", "2")]
        run.restart(counting(int, ttl="5s"))
        assert run.batch([("a", "a")], 6) == [("a", "1")]


def test_v_j12_fields_of_a_class_are_added_and_reordered() -> None:
    class First(Processor[str, str, str]):
        kept = ValueState(CountV1)

        def process(self, value: str, ctx: Context[str]) -> None:
            self.kept.set(CountV1(7))

    class Second(Processor[str, str, str]):
        kept = ValueState(CountV2)

        def process(self, value: str, ctx: Context[str]) -> str:
            return str(self.kept.get())

    run = Run(First)
    with run.driver:
        run.batch([("a", "a")])
        run.restart(Second)
        assert run.batch([("a", "a")]) == [("a", "CountV2(active=False, score=0.0, count=7)")]
