"""States that a topic fills before the first record of the class comes."""

from pathlib import Path
from typing import Any

import pytest

from framework import App, Context, DeclarationError, ListState, MapState, Processor, Topic, TopicError, ValueState
from framework.errors import ProgramChanged
from framework.testing import TestDriver


class Bank:
    """Adds amounts to balances that a topic holds before."""

    def __init__(self) -> None:
        self.app = App("bank")
        self.amounts: Topic[str, int] = self.app.topic("amounts", key=str, value=int)
        self.balances: Topic[str, int] = self.app.topic("balances", key=str, value=int)
        self.results: Topic[str, int] = self.app.topic("results", key=str, value=int)
        balances = self.balances

        @self.app.processor(self.amounts, to=self.results, name="B")
        class Balance(Processor[str, int, int]):
            balance = ValueState(int, default=0, initial=balances)

            def process(self, value: int, ctx: Context[str]) -> int:
                assert ctx.topic == "amounts"
                self.balance.set(self.balance.get() + value)
                return self.balance.get()


@pytest.mark.parametrize("seed", [None, 1, 2])
def test_records_of_the_initial_topic_go_first_whatever_their_order_and_time(seed: int | None) -> None:
    bank = Bank()
    with TestDriver(bank.app, chunk=3, seed=seed) as driver:
        for amount in (1, 2, 3, 4):
            driver.send(bank.amounts, amount, key="a", at=5)
        driver.send(bank.balances, 100, key="a", at=1000)
        driver.send(bank.balances, 200, key="b", at=1000)
        driver.send(bank.amounts, 5, key="b", at=6)
        assert driver.table(bank.results) == {"a": 110, "b": 205}
        assert driver.records(bank.results)[0].value == 101


def test_restart_does_not_fill_again_and_a_later_record_sets_or_clears() -> None:
    bank = Bank()
    with TestDriver(bank.app) as driver:
        driver.send(bank.balances, 100, key="a")
        driver.send(bank.amounts, 1, key="a")
        driver.restart()
        driver.send(bank.amounts, 1, key="a")
        driver.send(bank.balances, 7, key="a")
        driver.send(bank.amounts, 1, key="a")
        driver.send(bank.balances, None, key="a")
        driver.send(bank.amounts, 1, key="a")
        assert [value for _, value in driver.read(bank.results)] == [101, 102, 8, 1]


def test_batch_takes_the_initial_topic_first() -> None:
    bank = Bank()
    given = {
        bank.amounts: [bank.amounts.record(1, key="a", at=0)],
        bank.balances: [bank.balances.record(100, key="a", at=9)],
    }
    assert [record.value for record in bank.app.batch(given).records(bank.results)] == [101]


def test_initial_topic_with_another_number_of_partitions_is_refused() -> None:
    app = App("bank")
    amounts: Topic[str, int] = app.topic("amounts", key=str, value=int, partitions=2)
    balances: Topic[str, int] = app.topic("balances", key=str, value=int, partitions=3)

    @app.processor(amounts, name="B")
    class Balance(Processor[str, int, int]):
        balance = ValueState(int, default=0, initial=balances)

        def process(self, value: int, ctx: Context[str]) -> None: ...

    with pytest.raises(TopicError, match="amounts has 2, balances has 3"):
        TestDriver(app)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (str, str, 'the values of the topic "balances" are str, but the state is of type int'),
        (int, int, 'the keys are str, but the topic "balances", initial= of the state "balance", has int keys'),
        (None, int, 'the topic "balances" has no key'),
    ],
)
def test_initial_topic_of_other_types_is_refused(key: Any, value: Any, said: str) -> None:
    app = App("bank")
    amounts: Topic[str, int] = app.topic("amounts", key=str, value=int)
    topic: Any = app.topic("balances", value=value) if key is None else app.topic("balances", key=key, value=value)
    with pytest.raises(DeclarationError, match=said):

        @app.processor(amounts, name="B")
        class Balance(Processor[str, int, int]):
            balance = ValueState(int, default=0, initial=topic)

            def process(self, value: int, ctx: Context[str]) -> None: ...


def lists_and_maps(fill: Path | None = None) -> tuple[App, Topic[str, int], Topic[str, list[int]], Topic[str, str]]:
    app = App("bank")
    amounts = app.topic("amounts", key=str, value=int)
    lists = app.topic("lists", key=str, value=list[int], fill=fill)
    maps = app.topic("maps", key=str, value=dict[str, int])
    results = app.topic("results", key=str, value=str)

    @app.processor(amounts, to=results, name="B")
    class Both(Processor[str, int, str]):
        given = ListState(int, initial=lists)
        named = MapState(str, int, initial=maps)

        def process(self, value: int, ctx: Context[str]) -> str:
            self.given.append(value)
            return f"{self.given.get()} {dict(self.named.items())}"

    return app, amounts, lists, results


def test_lists_and_maps_are_filled_replaced_and_cleared() -> None:
    app, amounts, lists, results = lists_and_maps()
    maps: Topic[str, dict[str, int]] = app.topic("maps", key=str, value=dict[str, int])
    with TestDriver(app) as driver:
        driver.send(lists, [1, 2], key="a")
        driver.send(maps, {"x": 1, "y": 2}, key="a")
        driver.send(amounts, 3, key="a")
        driver.send(lists, [], key="a")
        driver.send(maps, {"z": 3}, key="a")
        driver.send(amounts, 4, key="a")
        driver.send(maps, None, key="a")
        driver.send(amounts, 5, key="a")
        assert [value for _, value in driver.read(results)] == [
            "[1, 2, 3] {'x': 1, 'y': 2}",
            "[4] {'z': 3}",
            "[4, 5] {}",
        ]


def test_initial_records_without_key_are_dropped_and_counted() -> None:
    app, amounts, lists, results = lists_and_maps()
    with TestDriver(app) as driver:
        driver.send_bytes(lists, b"[1]")
        driver.send(amounts, 3, key="a")
        assert [value for _, value in driver.read(results)] == ["[3] {}"]
        assert driver.dropped == {("B", "null key"): 1}


def test_file_fills_the_topic_of_an_initial_state(tmp_path: Path) -> None:
    path = tmp_path / "lists.jsonl"
    path.write_text('{"key": "a", "value": [1, 2]}\n')
    app, amounts, lists, results = lists_and_maps(path)
    with TestDriver(app) as driver:
        driver.restart(keep_state=True)
        driver.send(amounts, 3, key="a")
        driver.restart()
        assert len(driver.records(lists)) == 1
        assert driver.read(results) == [("a", "[1, 2, 3] {}")]
    assert app.batch({amounts: [("a", 3)]})[results] == [("a", "[1, 2, 3] {}")]
    assert app.batch({amounts: [("a", 3)], lists: []})[results] == [("a", "[3] {}")]


def test_file_of_an_unknown_format_is_refused_with_the_line() -> None:
    with pytest.raises(
        DeclarationError, match=r'test_initial_state\.py:\d+: fill= of the topic "lists" takes the path'
    ):
        App("bank").topic("lists", key=str, value=int, fill="lists.xlsx")


def test_initial_topic_given_to_a_state_that_is_filled_stops_the_start() -> None:
    def bank(initial: bool) -> App:
        app = App("bank")
        amounts = app.topic("amounts", key=str, value=int)
        balances = app.topic("balances", key=str, value=int)

        @app.processor(amounts, name="B")
        class Balance(Processor[str, int, int]):
            balance = ValueState(int, default=0, initial=balances if initial else None)

            def process(self, value: int, ctx: Context[str]) -> None:
                self.balance.set(value)

        return app

    said = "its initial topic was None and is balances"
    with TestDriver(bank(initial=False)) as driver, pytest.raises(ProgramChanged, match=said):
        driver.restart(bank(initial=True))
    with TestDriver(bank(initial=True)) as driver:
        driver.restart(bank(initial=False))
