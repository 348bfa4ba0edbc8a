"""Bounded runs, over values and over files."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from framework import App, ConfigError, DeclarationError, GlobalTable, RecordError, Stream, Table, Topic
from framework.drivers.batch import run_batch_on_files


@dataclass(frozen=True)
class Order:
    id: int
    amount: float


def word_count() -> tuple[App, Topic[None, str], Topic[str, int]]:
    app = App("words")
    lines, counts = app.topic("lines", value=str), app.topic("counts", key=str, value=int)

    @app.topology(lines, to=counts)
    def count_words(lines: Stream[None, str]) -> Table[str, int]:
        return lines.flat_map(str.split, type=str).group_by(lambda word: word, key=str).count()

    return app, lines, counts


def totals() -> tuple[App, Topic[str, Order], Topic[str, float]]:
    app = App("totals")
    orders, sums = app.topic("orders", key=str, value=Order), app.topic("sums", key=str, value=float)

    @app.topology(orders, to=sums)
    def total(orders: Stream[str, Order]) -> Table[str, float]:
        return orders.map(lambda order: order.amount, type=float).group_by_key().sum()

    return app, orders, sums


def test_batch_over_values_gives_outputs_by_topic() -> None:
    app, lines, counts = word_count()
    outputs = app.batch({lines: ["to be", "or not to be"]})
    assert outputs[counts] == [("to", 2), ("be", 2), ("or", 1), ("not", 1)]
    assert outputs.table(counts) == {"to": 2, "be": 2, "or": 1, "not": 1}


def test_batch_of_more_records_than_a_chunk_and_more_keys_than_a_commit_is_exact(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("framework.drivers.batch._COMMIT_KEYS", 50)
    app, lines, counts = word_count()
    outputs = app.batch({lines: (f"w{i % 100}" for i in range(25_000))})
    assert outputs.table(counts) == {f"w{i}": 250 for i in range(100)}


def test_batch_keyed_records_are_pairs_triples_or_records() -> None:
    app, orders, sums = totals()
    given = [("a", Order(1, 2.0)), ("a", Order(2, 3.0), 7), orders.record(Order(3, 1.0), key="b", at=9)]
    outputs = app.batch({orders: given})
    assert [(r.key, r.value, r.timestamp_ms) for r in outputs.records(sums)] == [("a", 5.0, 7), ("b", 1.0, 9)]


def test_batch_keyed_record_without_its_key_says_what_it_takes() -> None:
    app, orders, _ = totals()
    with pytest.raises(ValueError, match=r'the topic "orders" has keys, so its records are pairs'):
        app.batch({orders: [Order(1, 2.0)]})


def test_batch_several_inputs_are_read_by_timestamp() -> None:
    app = App("merge")
    left, right = app.topic("left", value=str), app.topic("right", value=str)
    both = app.topic("both", value=str)

    @app.topology(left, right, to=both)
    def merge(left: Stream[None, str], right: Stream[None, str]) -> Stream[None, str]:
        return left.merge(right)

    outputs = app.batch(
        {
            left: [left.record("a", at=1), left.record("d", at=4)],
            right: [right.record("b", at=2), right.record("c", at=3)],
        }
    )
    assert [value for _, value in outputs[both]] == ["a", "b", "c", "d"]


def test_batch_topic_written_and_read_is_passed_on() -> None:
    app = App("chain")
    first, second, third = (app.topic(name, value=int) for name in ("first", "second", "third"))

    @app.topology(second, to=third)
    def double(second: Stream[None, int]) -> Stream[None, int]:
        return second.map(lambda n: n * 2, type=int)

    @app.topology(first, to=second)
    def increment(first: Stream[None, int]) -> Stream[None, int]:
        return first.map(lambda n: n + 1, type=int)

    outputs = app.batch({first: [1, 2], second: [10]})
    assert [value for _, value in outputs[third]] == [20, 4, 6]


def test_batch_of_a_circle_is_refused() -> None:
    app = App("circle")
    numbers = app.topic("numbers", value=int)

    @app.topology(numbers, to=numbers)
    def increment(numbers: Stream[None, int]) -> Stream[None, int]:
        return numbers.map(lambda n: n + 1, type=int)

    with pytest.raises(DeclarationError, match="in a circle over numbers"):
        app.batch({numbers: [1]})


def test_batch_bad_record_is_named() -> None:
    app, lines, _ = word_count()

    @app.handler(lines)
    def check(line: str) -> None:
        if line == "bad":
            raise ValueError("no")

    with pytest.raises(RecordError, match=r"lines-0 at offset 1 .*ValueError: no"):
        app.batch({lines: ["good", "bad"]})


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_batch_over_files_reads_what_it_wrote(tmp_path: Path, suffix: str) -> None:
    app, _, _ = totals()
    source, target = tmp_path / "orders.jsonl", tmp_path / f"sums{suffix}"
    source.write_text(
        '{"key": "a", "value": {"id": 1, "amount": 2.5}, "timestamp": 5}\n'
        '{"key": "b", "value": {"id": 2, "amount": 1}}\n\n'
        '{"key": "a", "value": {"id": 3, "amount": 0.5}, "timestamp": 3}\n'
    )
    assert run_batch_on_files(app.plan(), {"orders": source}, {"sums": target}) == {"sums": 2}
    again = App("again")
    read, written = again.topic("sums", key=str, value=float), again.topic("out", key=str, value=float)

    @again.topology(read, to=written)
    def copy(sums: Stream[str, float]) -> Stream[str, float]:
        return sums

    final = tmp_path / "out.jsonl"
    run_batch_on_files(again.plan(), {"sums": target}, {"out": final})
    assert final.read_text() == '{"key":"a","value":3.0,"timestamp":5}\n{"key":"b","value":1.0,"timestamp":0}\n'


def test_batch_csv_of_objects_is_typed_by_the_topic(tmp_path: Path) -> None:
    app, _, _ = totals()
    source, target = tmp_path / "orders.csv", tmp_path / "sums.jsonl"
    source.write_text("key,id,amount,timestamp\na,1,2.5,5\na,2,1,7\n")
    run_batch_on_files(app.plan(), {"orders": source}, {"sums": target})
    assert target.read_text() == '{"key":"a","value":3.5,"timestamp":7}\n'


def test_batch_bad_line_names_file_and_line_and_leaves_no_output(tmp_path: Path) -> None:
    app, _, _ = totals()
    source, target = tmp_path / "orders.jsonl", tmp_path / "sums.jsonl"
    source.write_text(
        '{"key": "a", "value": {"id": 1, "amount": 1}}\n{"key": "a", "value": {"id": "x", "amount": 1}}\n'
    )
    with pytest.raises(ConfigError, match=r"orders.jsonl, line 2, is no record .*expected int at \$.id, got str"):
        run_batch_on_files(app.plan(), {"orders": source}, {"sums": target})
    assert [path.name for path in tmp_path.iterdir()] == ["orders.jsonl"]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        pytest.param("missing.txt", "does not exist", id="missing file"),
        pytest.param("lines.doc", "has no format that is known", id="unknown suffix"),
    ],
)
def test_batch_file_that_cannot_be_read_says_why(tmp_path: Path, file: str, message: str) -> None:
    app, _, _ = word_count()
    (tmp_path / "lines.doc").touch()
    with pytest.raises(ConfigError, match=message):
        run_batch_on_files(app.plan(), {"lines": tmp_path / file}, {})


def test_batch_empty_input_writes_an_empty_file(tmp_path: Path) -> None:
    app, _, _ = word_count()
    (tmp_path / "lines.txt").touch()
    run_batch_on_files(app.plan(), {"lines": tmp_path / "lines.txt"}, {"counts": tmp_path / "counts.jsonl"})
    assert (tmp_path / "counts.jsonl").read_text() == ""


def test_join_by_foreign_key_over_a_batch_ends_with_what_both_tables_say() -> None:
    app = App("batch")
    orders, customers = app.topic("orders", key=str, value=str), app.topic("customers", key=str, value=str)
    names = app.topic("names", key=str, value=str)
    sizes = app.topic("sizes", key=str, value=int)

    @app.topology(orders, customers, to=(names, sizes))
    def join(orders: Table[str, str], customers: Table[str, str]) -> tuple[Table[str, str], Table[str, int]]:
        joined = orders.join(customers, on=lambda order: order, value=lambda order, name: f"{order}:{name}", type=str)
        return joined, joined.group_by(lambda name: name).count()

    outputs = app.batch(
        {
            orders: [("1", "a", 0), ("2", "b", 1), ("3", "a", 2), ("2", "c", 3), ("4", "none", 4)],
            customers: [("a", "Ann", 1), ("b", "Bob", 1), ("c", "Cy", 5), ("a", "Anna", 6)],
        }
    )
    assert outputs.table(names) == {"1": "a:Anna", "2": "c:Cy", "3": "a:Anna"}
    assert {group: n for group, n in outputs.table(sizes).items() if n} == {"a:Anna": 2, "c:Cy": 1}


def test_global_table_of_a_batch_is_whole_before_the_first_record() -> None:
    app = App("batch")
    codes, countries = app.topic("codes", key=str, value=str), app.topic("countries", key=str, value=str)
    names = app.topic("names", key=str, value=str)

    @app.topology(codes, countries, to=names)
    def look_up(codes: Stream[str, str], countries: GlobalTable[str, str]) -> Stream[str, str]:
        return codes.join(countries, key=lambda code: code, value=lambda code, name: name, type=str)

    outputs = app.batch({codes: [("k", "no", 0)], countries: [("no", "Norge", 5), ("no", "Norway", 9)]})
    assert outputs[names] == [("k", "Norway")]
