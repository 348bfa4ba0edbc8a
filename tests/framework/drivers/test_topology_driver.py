"""The test driver, as users meet it."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from framework import App, RecordError, Stream, Table
from framework.drivers.partitioner import murmur2, partition_of
from framework.dsl import Topic
from framework.testing import TestDriver

Driver = Callable[..., TestDriver]


class WordCount:
    """The app that most of these tests drive."""

    def __init__(self) -> None:
        self.app = app = App("wordcount")
        self.lines = lines = app.topic("lines", value=str)
        self.counts = counts = app.topic("counts", key=str, value=int)

        @app.topology(lines, to=counts)
        def count_words(lines: Stream[None, str]) -> Table[str, int]:
            return lines.flat_map(lambda line: line.lower().split()).group_by(lambda word: word).count()


@pytest.fixture
def words() -> WordCount:
    return WordCount()


class Shop:
    """Two inputs of one task, and a step that cannot stand a negative amount."""

    def __init__(self) -> None:
        self.app = app = App("shop")
        self.sales: Topic[str, int] = app.topic("sales", key=str, value=int)
        self.refunds: Topic[str, int] = app.topic("refunds", key=str, value=int)
        self.log: Topic[str, int] = app.topic("log", key=str, value=int)
        self.totals: Topic[str, int] = app.topic("totals", key=str, value=int)

        @app.topology(self.sales, self.refunds, to=(self.log, self.totals))
        def book(sales: Stream[str, int], refunds: Stream[str, int]) -> tuple[Stream[str, int], Table[str, int]]:
            both = sales.merge(refunds.map(lambda amount: -amount))
            return both, both.map(refuse_13).group_by_key().sum(name="total")


def refuse_13(amount: int) -> int:
    if amount == 13:
        raise ValueError("13 brings bad luck")
    return amount


@pytest.fixture
def shop() -> Shop:
    return Shop()


def test_driver_word_count_emits_every_change_in_order(words: WordCount) -> None:
    with TestDriver(words.app) as driver:
        driver.send(words.lines, "to be or not to be", at=0)
        assert driver.read(words.counts) == [("to", 1), ("be", 1), ("or", 1), ("not", 1), ("to", 2), ("be", 2)]
        driver.advance("10s")
        driver.restart()
        assert driver.table(words.counts) == {"to": 2, "be": 2, "or": 1, "not": 1}
        assert driver.store("count_words.count")["to"] == 2


def test_read_twice_gives_only_what_is_new(words: WordCount, driver: Driver) -> None:
    driven = driver(words.app)
    driven.send(words.lines, "a")
    assert driven.read(words.counts) == [("a", 1)]
    assert driven.read(words.counts) == []
    driven.send(words.lines, "a")
    assert driven.read(words.counts) == [("a", 2)]
    assert len(driven.records(words.counts)) == 2


def test_records_are_whole_and_carry_timestamp_and_headers(driver: Driver) -> None:
    app = App("echo")
    given = app.topic("given", key=str, value=int)
    doubled = app.topic("doubled", key=str, value=int)

    @app.topology(given, to=doubled)
    def double(given: Stream[str, int]) -> Stream[str, int]:
        return given.map(lambda n: 2 * n)

    driven = driver(app)
    driven.send(given, 4, key="a", at=7, headers=[("trace", b"x")])
    [record] = driven.records(doubled)
    assert (record.topic, record.partition, record.offset) == ("doubled", 0, 0)
    assert (record.key, record.value, record.timestamp_ms, record.headers) == ("a", 8, 7, [("trace", b"x")])


def test_record_without_time_gets_the_clock_that_advance_moves(words: WordCount, driver: Driver) -> None:
    driven = driver(words.app, now=1_000)
    driven.send(words.lines, "a")
    driven.advance("10s")
    driven.send(words.lines, "b")
    assert [record.timestamp_ms for record in driven.records(words.counts)] == [1_000, 11_000]


@pytest.mark.parametrize("backend", ["memory", "rocksdb"])
@pytest.mark.parametrize("keep_state", [False, True], ids=["state lost", "state kept"])
def test_restart_brings_stores_back(words: WordCount, driver: Driver, backend: str, keep_state: bool) -> None:
    driven = driver(words.app, backend=backend, partitions=2)
    driven.send(words.lines, "a b a")
    driven.restart(keep_state=keep_state)
    driven.send(words.lines, "a")
    assert driven.table(words.counts) == {"a": 3, "b": 1}
    assert dict(driven.store("count_words.count").items()) == {"a": 3, "b": 1}


def test_restart_with_chunk_open_does_it_again_once(words: WordCount, driver: Driver) -> None:
    driven = driver(words.app, chunk=2, seed=3)
    for _ in range(20):
        driven.send(words.lines, "a b")
    for _ in range(10):
        driven.turn()
        driven.restart()
    assert driven.table(words.counts) == {"a": 20, "b": 20}


def test_large_chunk_emits_latest_change_of_each_key_per_commit(words: WordCount, driver: Driver) -> None:
    driven = driver(words.app, chunk=1000)
    driven.send(words.lines, "a b a")
    driven.send(words.lines, "a")
    assert driven.read(words.counts) == [("a", 3), ("b", 1)]


def test_one_record_with_several_changes_of_a_key_emits_each(driver: Driver) -> None:
    app = App("pieces")
    given = app.topic("given", key=str, value=str)
    counts = app.topic("counts", key=str, value=int)

    @app.topology(given, to=counts)
    def count(given: Stream[str, str]) -> Table[str, int]:
        return given.flat_map(str.split).group_by_key().count()

    driven = driver(app)
    driven.send(given, "x y z", key="a")
    assert driven.read(counts) == [("a", 1), ("a", 2), ("a", 3)]


# Source: UtilsTest.testMurmur2 of Kafka's Java client; its numbers are signed.
KAFKAS_HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), KAFKAS_HASHES.items())
def test_murmur2_equals_that_of_kafkas_client(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected % 2**32


def test_partition_ignores_the_sign_of_the_hash() -> None:
    assert partition_of(b"21", 4) == (-973932308 & 0x7FFFFFFF) % 4 == 0


def test_records_without_key_go_round(words: WordCount, driver: Driver) -> None:
    driven = driver(words.app, partitions=3)
    for word in "abcd":
        driven.send(words.lines, word)
    assert [record.partition for record in driven.records(words.lines)] == [0, 1, 2, 0]


def test_inputs_of_one_task_are_read_in_the_order_of_sending(shop: Shop, driver: Driver) -> None:
    driven = driver(shop.app)
    driven.send(shop.sales, 10, key="a")
    driven.send(shop.refunds, 4, key="a")
    driven.send(shop.sales, 1, key="a")
    assert driven.read(shop.log) == [("a", 10), ("a", -4), ("a", 1)]
    assert driven.read(shop.totals) == [("a", 10), ("a", 6), ("a", 7)]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_failing_record_leaves_nothing_behind_and_driver_goes_on(shop: Shop, driver: Driver, chunk: int) -> None:
    driven = driver(shop.app, chunk=chunk)
    with pytest.raises(RecordError, match="13 brings bad luck") as caught:
        for amount in (1, 13, 2):
            driven.send(shop.sales, amount, key="a")
        driven.read(shop.log)
    assert (caught.value.tp, caught.value.offset) == (("sales", 0), 1)
    if chunk == 1:
        driven.send(shop.sales, 2, key="a")
    assert driven.read(shop.log) == [("a", 1), ("a", 2)]
    assert driven.table(shop.totals) == {"a": 3}


def test_bytes_that_cannot_be_decoded_are_a_record_error(shop: Shop, driver: Driver) -> None:
    driven = driver(shop.app)
    with pytest.raises(RecordError, match="expected int"):
        driven.send_bytes(shop.sales, b"four", key=b"a")
    assert driven.records(shop.totals) == []


def test_value_of_wrong_type_is_refused_at_once(shop: Shop, driver: Driver) -> None:
    with pytest.raises(TypeError, match="value 'four' cannot be sent to the topic \"sales\": expected int"):
        driver(shop.app).send(shop.sales, "four", key="a")


def test_key_of_keyless_topic_is_refused(words: WordCount, driver: Driver) -> None:
    with pytest.raises(TypeError, match='"lines" has no key'):
        driver(words.app).send(words.lines, "a", key="k")


def test_topic_that_is_not_read_is_refused(words: WordCount, driver: Driver) -> None:
    with pytest.raises(ValueError, match='does not read the topic "counts"; it reads lines'):
        driver(words.app).send(words.counts, 1, key="k")


def test_partition_that_is_not_there_is_refused(words: WordCount, driver: Driver) -> None:
    with pytest.raises(ValueError, match="partitions 0 to 0, not 1"):
        driver(words.app).send(words.lines, "a", partition=1)


def test_unknown_store_is_refused_with_those_there_are(words: WordCount, driver: Driver) -> None:
    with pytest.raises(ValueError, match=r"its stores: count_words\.count"):
        driver(words.app).store("count")


def test_store_reads_like_a_dict(words: WordCount, driver: Driver) -> None:
    driven = driver(words.app, partitions=4)
    driven.send(words.lines, "b a b", at=5)
    store = driven.store("count_words.count")
    assert ("a" in store, "c" in store, store.get("c", 0), len(store)) == (True, False, 0, 2)
    assert sorted(store.items()) == [("a", 1), ("b", 2)]
    assert store.timestamp("b") == 5
    with pytest.raises(KeyError):
        _ = store["c"]


def test_tombstone_deletes_from_table(driver: Driver) -> None:
    app = App("copy")
    given = app.topic("given", key=str, value=int)
    copied = app.topic("copied", key=str, value=int)

    @app.topology(given, to=copied)
    def copy(given: Table[str, int]) -> Table[str, int]:
        return given

    driven = driver(app)
    driven.send(given, 1, key="a")
    driven.send(given, 2, key="b")
    driven.send(given, None, key="a")
    assert driven.read(copied) == [("a", 1), ("b", 2), ("a", None)]
    assert driven.table(copied) == {"b": 2}
    assert dict(driven.store("copy.given").items()) == {"b": 2}


def test_changelog_is_read_by_its_name(words: WordCount, driver: Driver) -> None:
    driven = driver(words.app)
    driven.send(words.lines, "a a")
    changelog = driven.records("wordcount-count_words.count-changelog")
    assert [(record.key, record.value) for record in changelog] == [("a", 1), ("a", 2)]


def test_import_of_testing_loads_neither_kafka_client_nor_rocksdb() -> None:
    program = (
        "import sys, framework.testing\n"
        "print(sorted({'confluent_kafka', 'rocksdict', 'pydantic', 'pytest'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
