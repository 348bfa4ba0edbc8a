"""State of an earlier version of an app, taken over under another name."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from framework import App, Context, DeclarationError, Processor, Stream, Table, Topic, ValueState, Windowed, tumbling
from framework.errors import FatalError
from framework.testing import TestDriver


@dataclass
class Stats:
    """How many values, and their sum; of those before the change only the number is known."""

    count: int
    total: int


class Version:
    """An app on the topics of before."""

    def __init__(self) -> None:
        self.app = App("shop")
        self.orders: Topic[str, int] = self.app.topic("orders", key=str, value=int)


def first() -> Version:
    version = Version()
    counts = version.app.topic("counts", key=str, value=int)

    @version.app.topology(version.orders, to=counts)
    def count(orders: Stream[str, int]) -> Table[str, int]:
        return orders.group_by_key().count(name="counted")

    return version


def second(convert: Callable[[int], Stats | None]) -> tuple[Version, Topic[str, Stats]]:
    version = Version()
    stats = version.app.topic("stats", key=str, value=Stats)
    version.app.migrate("counted", to="summed", type=int)(convert)

    @version.app.topology(version.orders, to=stats)
    def summed(orders: Stream[str, int]) -> Table[str, Stats]:
        return orders.group_by_key().aggregate(
            Stats(0, 0), lambda s, amount: Stats(s.count + 1, s.total + amount), name="summed"
        )

    return version, stats


@pytest.mark.parametrize("keep_state", [True, False])
def test_new_store_begins_with_what_the_old_one_held(keep_state: bool) -> None:
    before = first()
    with TestDriver(before.app, partitions=2) as driver:
        for key in ("ann", "bob", "ann"):
            driver.send(before.orders, 5, key=key)
        now, stats = second(lambda count: Stats(count, 0))
        driver.restart(now.app, keep_state=keep_state)
        driver.send(now.orders, 7, key="ann")
        assert driver.table(stats) == {"ann": Stats(3, 7)}
        assert dict(driver.store("summed").items()) == {"ann": Stats(3, 7), "bob": Stats(1, 0)}


def test_migration_happens_once() -> None:
    before, calls = first(), []

    def convert(count: int) -> Stats:
        calls.append(count)
        return Stats(count, 0)

    with TestDriver(before.app) as driver:
        driver.send(before.orders, 5, key="ann")
        now, stats = second(convert)
        driver.restart(now.app)
        driver.send(now.orders, 7, key="ann")
        driver.restart()
        driver.send(now.orders, 7, key="ann")
        assert driver.table(stats) == {"ann": Stats(3, 14)}
    assert calls == [1]


def test_value_made_to_none_is_left_out() -> None:
    before = first()
    with TestDriver(before.app) as driver:
        driver.send(before.orders, 5, key="ann")
        now, stats = second(lambda count: None)
        driver.restart(now.app)
        driver.send(now.orders, 7, key="ann")
        assert driver.table(stats) == {"ann": Stats(1, 7)}


def test_app_without_the_store_of_before_begins_anew() -> None:
    now, stats = second(lambda count: Stats(count, 0))
    with TestDriver(now.app) as driver:
        driver.send(now.orders, 7, key="ann")
        assert driver.table(stats) == {"ann": Stats(1, 7)}


def test_function_that_fails_stops_the_start_and_names_the_key() -> None:
    before = first()
    with TestDriver(before.app) as driver:
        driver.send(before.orders, 5, key="ann")
        now, _ = second(lambda count: Stats(1 // (count - 1), 0))
        with pytest.raises(
            FatalError, match=r'the migration of "counted" to "summed" \(.*test_migrations\.py:\d+.*key b\'ann\''
        ):
            driver.restart(now.app)


def test_open_windows_go_on_in_the_new_store() -> None:
    def version(name: str, start: Any, add: Any) -> tuple[App, Topic[str, int], Topic[Windowed[str], Any]]:
        app = App("shop")
        orders = app.topic("orders", key=str, value=int)
        sums = app.topic(f"sums-{name}", key=Windowed[str], value=type(start))

        @app.topology(orders, to=sums)
        def per_window(orders: Stream[str, int]) -> Table[Windowed[str], Any]:
            windowed = orders.group_by_key().window(tumbling("10ms", grace="0s"))
            return windowed.aggregate(start, add, name=name, emit="final")

        return app, orders, sums

    app, orders, _ = version("ints", 0, lambda total, amount: total + amount)
    with TestDriver(app) as driver:
        driver.send(orders, 5, key="ann", at=3)
        app, orders, sums = version("texts", "", lambda total, amount: f"{total}+{amount}")
        app.migrate("ints", to="texts", type=int)(str)
        driver.restart(app)
        driver.send(orders, 6, key="ann", at=4)
        driver.send(orders, 1, key="ann", at=11)
        assert driver.read(sums) == [(Windowed("ann", 0, 10), "5+6")]


def test_state_of_a_class_is_taken_over() -> None:
    def version(kind: type, name: str) -> tuple[App, Topic[str, int], Topic[str, str]]:
        app = App("shop")
        orders = app.topic("orders", key=str, value=int)
        results = app.topic("results", key=str, value=str)

        class Latest(Processor[str, int, str]):
            last = ValueState(kind)

            def process(self, value: int, ctx: Context[str]) -> str:
                before = self.last.get()
                self.last.set(kind(value))
                return repr(before)

        app.processor(orders, to=results, name=name)(Latest)
        return app, orders, results

    app, orders, _ = version(int, "A")
    with TestDriver(app) as driver:
        driver.send(orders, 5, key="ann")
        app, orders, results = version(str, "B")
        app.migrate("A.last", to="B.last", type=int)(str)
        driver.restart(app)
        driver.send(orders, 6, key="ann")
        assert driver.read(results)[-1] == ("ann", "'5'")


def declared(old: str, to: str, kind: Any, convert: Callable[..., Any]) -> None:
    version = first()
    version.app.migrate(old, to=to, type=kind)(convert)
    version.app.plan()


@pytest.mark.parametrize(
    ("declare", "said"),
    [
        (lambda: declared("old", "nobody", int, str), 'the app "shop" has no store "nobody"; its stores: counted.'),
        (lambda: declared("counted", "counted", int, str), "needs two stores"),
        (lambda: declared("old", "counted", int, lambda: 0), "calls the function with an old value, but"),
        (lambda: declared("old", "counted", type(lambda: 0), str), "the values of before cannot be read"),
    ],
    ids=["unknown", "same", "arguments", "type"],
)
def test_migration_that_cannot_be_is_refused_with_the_line(declare: Callable[[], None], said: str) -> None:
    with pytest.raises(DeclarationError, match=r"test_migrations\.py:\d+.*migrate\(.*" + re.escape(said)):
        declare()


def test_store_that_is_still_kept_cannot_be_left() -> None:
    version = first()
    counts = version.app.topic("counts-2", key=str, value=int)

    @version.app.topology(version.orders, to=counts)
    def again(orders: Stream[str, int]) -> Table[str, int]:
        return orders.group_by_key().count(name="anew")

    version.app.migrate("counted", to="anew", type=int)(int)
    with pytest.raises(DeclarationError, match='still keeps its state in "counted"'):
        version.app.plan()


def test_second_migration_to_one_store_is_refused() -> None:
    version = first()
    version.app.migrate("a", to="counted", type=int)(int)
    with pytest.raises(DeclarationError, match=r'"counted" is filled by the migration at .* already'):
        version.app.migrate("b", to="counted", type=int)(int)
