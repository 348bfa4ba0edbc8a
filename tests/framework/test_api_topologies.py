"""How programs are declared, driven and batched, as the description of the language writes it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from framework import App, DeclarationError, GlobalTable, Stream, Table
from framework.testing import TestDriver

app = App("wordcount")
lines = app.topic("lines", value=str)
counts = app.topic("counts", key=str, value=int)


@app.topology(lines, to=counts)
def count_words(lines: Stream[None, str]) -> Table[str, int]:
    return lines.flat_map(lambda line: line.lower().split()).group_by(lambda word: word).count()


def test_counts() -> None:
    with TestDriver(app) as driver:
        driver.send(lines, "to be or not to be", at=0)
        assert driver.read(counts) == [("to", 1), ("be", 1), ("or", 1), ("not", 1), ("to", 2), ("be", 2)]
        driver.advance("10s")
        driver.restart()
        assert driver.table(counts) == {"to": 2, "be": 2, "or": 1, "not": 1}
        assert driver.store("count_words.count")["to"] == 2


def test_driver_in_chunks_over_partitions_ends_with_the_same_table() -> None:
    with TestDriver(app, chunk=1000, partitions=4) as driver:
        for _ in range(50):
            driver.send(lines, "to be or not to be")
        assert driver.table(counts) == {"to": 100, "be": 100, "or": 50, "not": 50}
        assert len(driver.records(counts)) < 300


def test_batch_returns_the_outputs_by_topic() -> None:
    assert dict(app.batch({lines: ["to be", "or not"]})[counts]) == {"to": 1, "be": 1, "or": 1, "not": 1}


def test_send_takes_key_headers_partition_and_records_give_them_back() -> None:
    app = App("whole")
    given = app.topic("given", key=str, value=int, partitions=3)
    taken = app.topic("taken", key=str, value=int, partitions=3)

    @app.topology(given, to=taken)
    def copy(given: Stream[str, int]) -> Stream[str, int]:
        return given

    with TestDriver(app) as driver:
        driver.send(given, 1, key="a", at=7, headers=[("origin", b"till")], partition=2)
        [record] = driver.records(taken)
        assert (record.key, record.value, record.timestamp_ms, record.headers) == ("a", 1, 7, [("origin", b"till")])
        assert (record.key, record.value, record.timestamp) == ("a", 1, 7)


def test_several_outputs_and_a_side_output() -> None:
    app = App("outputs")
    numbers = app.topic("numbers", key=str, value=int)
    small = app.topic("small", key=str, value=int)
    large = app.topic("large", key=str, value=int)
    all_numbers = app.topic("all", key=str, value=int)

    @app.topology(numbers, to=(small, large))
    def split(numbers: Stream[str, int]) -> tuple[Stream[str, int], Stream[str, int]]:
        numbers.to(all_numbers)
        few, many = numbers.branch(lambda n: n < 10, otherwise=True)
        return few, many

    with TestDriver(app) as driver:
        driver.send(numbers, 1, key="a")
        driver.send(numbers, 100, key="b")
        assert driver.read(small) == [("a", 1)]
        assert driver.read(large) == [("b", 100)]
        assert driver.read(all_numbers) == [("a", 1), ("b", 100)]


def test_annotation_says_how_each_topic_is_read() -> None:
    app = App("kinds")
    orders = app.topic("orders", key=str, value=str)
    customers = app.topic("customers", key=str, value=str)
    prices = app.topic("prices", key=str, value=int)
    out = app.topic("out", key=str, value=str)

    @app.topology(orders, customers, prices, to=out)
    def enrich(orders: Stream[str, str], customers: Table[str, str], prices: GlobalTable[str, int]) -> Stream[str, str]:
        priced = orders.join(prices, key=lambda order: order, value=lambda order, price: f"{order} for {price}")
        return priced.join(customers, value=lambda order, customer: f"{customer}: {order}")

    with TestDriver(app) as driver:
        driver.send(prices, 3, key="pen")
        driver.send(customers, "Anna", key="a")
        driver.send(orders, "pen", key="a")
        assert driver.read(out) == [("a", "Anna: pen for 3")]


def test_name_of_a_step_names_its_store_and_topic() -> None:
    app = App("named")
    lines = app.topic("lines", value=str)

    @app.topology(lines)
    def words(lines: Stream[None, str]) -> None:
        lines.group_by(lambda line: line, name="by-word").count(name="occurrences")

    with TestDriver(app) as driver:
        driver.send(lines, "a")
        assert driver.store("occurrences")["a"] == 1
        assert len(driver.records("named-occurrences.partials-repartition")) == 1
        assert len(driver.records("named-occurrences-changelog")) == 1


def test_counter_of_names_does_not_move_with_an_unrelated_step() -> None:
    def stores(extra: bool) -> list[str]:
        app = App("counter")
        lines = app.topic("lines", key=str, value=str)

        @app.topology(lines)
        def read(lines: Stream[str, str]) -> None:
            if extra:
                lines.group_by_key().reduce(lambda a, b: b)
            lines.group_by_key().count()
            lines.group_by_key().count()

        return [store.name for sub in app.plan().sub_topologies for store in sub.stores]

    assert sorted(stores(False)) == ["read.count", "read.count-2"]
    assert set(stores(False)) < set(stores(True))


def test_names_required_refuses_unnamed_stateful_steps() -> None:
    app = App("strict", require_names=True)
    lines = app.topic("lines", value=str)

    def words(lines: Stream[None, str]) -> None:
        lines.map(str.lower).group_by(lambda line: line, name="by-line").count()

    with pytest.raises(DeclarationError, match=r"test_api_topologies\.py:\d+: .*count\(name="):
        app.topology(lines)(words)


def test_duration_is_a_timedelta_or_text() -> None:
    for duration in (timedelta(seconds=10), "10s", "10000ms"):
        with TestDriver(app) as driver:
            driver.advance(duration)
            assert driver.now_ms == 10_000


def test_topology_of_a_module_runs_as_a_batch_over_files(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from framework.cli.main import cli

    book, result = tmp_path / "book.txt", tmp_path / "counts.jsonl"
    book.write_text("to be\nor not to be\n")
    arguments = ["batch", "apps.wordcount.app:app", "--in", f"lines={book}", "--out", f"counts={result}"]
    ran: Any = CliRunner().invoke(cli, arguments)
    assert ran.exit_code == 0, ran.output
    assert '"to"' in result.read_text()


@pytest.mark.parametrize("returned", [Any, tuple[Stream[str, int], ...]], ids=["Any", "tuple of any length"])
def test_result_may_be_annotated_loosely(returned: Any) -> None:
    app = App("loose")
    given = app.topic("given", key=str, value=int)
    small = app.topic("small", key=str, value=int)
    large = app.topic("large", key=str, value=int)

    @app.topology(given, to=(small, large))
    def split(given: Stream[str, int]) -> returned:
        return given.branch(lambda n: n < 10, otherwise=True)

    assert app.batch({given: [("a", 1), ("b", 10)]})[large] == [("b", 10)]
