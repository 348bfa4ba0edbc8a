"""The queries in memory, beside plain Python over the same events; and the edges of each, by a few events."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from apps.nexmark.app import QUERIES, declare
from apps.nexmark.generator import events
from apps.nexmark.load import records
from apps.nexmark.model import Auction, Bid, Person
from apps.nexmark.topics import Names
from framework import Topic
from framework.testing import TestDriver
from tests.apps.nexmark.expected import Site, expected

COUNT, SINGLE_COUNT = 3_000, 500
SLOWER = 100
STREAMS, TABLES = ("q0", "q1", "q2"), ("q3", "q4", "q5", "q6", "q7", "q8", "q11", "q12")
Rows = list[tuple[Any, Any]]


def run(query: str, given: Iterable[Person | Auction | Bid], **options: Any) -> Rows:
    """Key and value of each record that the query writes, as JSON would have them."""
    app = declare(query)
    with TestDriver(app, **options) as driver:
        for topic, key, value, timestamp in records(given, Names(query)):
            if topic in app.topics:
                driver.send_bytes(Topic(app.topics[topic]), value, key=key, at=timestamp)
        written = driver.records(f"nexmark-{query}")
    return [(r.key if isinstance(r.key, int) else tuple(r.key), as_json(r.value)) for r in written]


def as_json(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def table(query: str, given: Iterable[Person | Auction | Bid], **options: Any) -> dict[Any, Any]:
    return {key: value for key, value in dict(run(query, given, **options)).items() if value is not None}


def person(id: int, at: int, *, state: str = "OR") -> Person:
    return Person(id, f"name {id}", "", "", "Bend", state, at, "")


def auction(id: int, at: int, *, seller: int = 1, category: int = 10, expires: int = 0) -> Auction:
    return Auction(id, "", "", 0, 0, at, expires, seller, category, "")


def bid(auction: int, price: int, at: int, *, bidder: int = 1) -> Bid:
    return Bid(auction, bidder, price, "", "", at, "")


def events_for(query: str, count: int) -> list[Person | Auction | Bid]:
    """Events; for queries of windows and sessions so slow that several end."""
    slower = SLOWER if query in ("q5", "q7", "q8", "q11") else 1
    return [msgspec.structs.replace(event, date_time=event.date_time * slower) for event in events(count)]


@pytest.mark.parametrize("query", STREAMS)
def test_query_of_single_bids_gives_what_plain_python_gives(query: str) -> None:
    def as_bag(rows: Any) -> Counter[Any]:
        return Counter((key, tuple(value.items())) for key, value in rows)

    assert as_bag(run(query, events(COUNT), chunk=500, seed=3)) == as_bag(expected(query, Site(events(COUNT))))


@pytest.mark.parametrize(
    ("count", "options"), [(COUNT, {"chunk": 700, "seed": 5}), (SINGLE_COUNT, {})], ids=["in chunks", "one by one"]
)
@pytest.mark.parametrize("query", TABLES)
def test_query_with_state_ends_with_what_plain_python_gives(query: str, count: int, options: dict[str, int]) -> None:
    given = events_for(query, count)
    found = table(query, given, **options)
    if query == "q12":
        sums: Counter[int] = Counter()
        for (bidder, _, _), number in found.items():
            sums[bidder] += number
        found = dict(sums)
    assert found == expected(query, Site(given))


def test_every_query_is_tested() -> None:
    assert set(QUERIES) == {*STREAMS, *TABLES}


def test_local_item_is_found_also_if_its_seller_comes_after_it() -> None:
    assert table("q3", [auction(1, 0, seller=7), person(7, 5), auction(2, 6, seller=7), auction(3, 7, seller=8)]) == {
        1: {"name": "name 7", "city": "Bend", "state": "OR", "id": 1},
        2: {"name": "name 7", "city": "Bend", "state": "OR", "id": 2},
    }


def test_item_of_another_category_or_state_is_not_local() -> None:
    assert table("q3", [person(7, 0), person(8, 0, state="WA"), auction(1, 1, seller=8)]) == {}
    assert table("q3", [person(7, 0), auction(1, 1, seller=7, category=11)]) == {}


def test_bid_counts_from_the_opening_to_the_last_millisecond_of_its_auction() -> None:
    site = [
        bid(1, 900, 9), auction(1, 10, expires=20), bid(1, 100, 10), bid(1, 300, 20), bid(1, 800, 21),
        auction(2, 30, expires=60), bid(2, 500, 31),
    ]  # fmt: skip
    assert table("q4", site) == {10: 400}


def test_bid_read_before_the_auction_of_its_millisecond_counts() -> None:
    assert table("q4", [bid(1, 900, 10), auction(1, 10, expires=20)]) == {10: 900}


def test_average_of_a_category_is_cut_to_a_whole_number() -> None:
    site = [auction(1, 0, expires=9), auction(2, 0, expires=9), bid(1, 100, 1), bid(2, 101, 1)]
    assert table("q4", site) == {10: 100}


def test_average_of_a_seller_is_over_the_ten_auctions_that_close_last() -> None:
    site = [auction(n, n, expires=100 - n) for n in range(1, 13)]
    bids = [bid(n, n, 50) for n in range(1, 13)]
    assert table("q6", [*site, *bids]) == {1: sum(range(1, 11)) // 10}


def test_higher_bid_for_one_of_the_last_auctions_replaces_the_price() -> None:
    site = [auction(n, 0, expires=100 + n) for n in range(1, 13)]
    bids = [bid(n, 10, 50) for n in range(1, 13)]
    assert table("q6", [*site, *bids, bid(12, 110, 60), bid(1, 999, 60)]) == {1: 20}


def test_all_auctions_with_the_greatest_number_of_bids_are_hot() -> None:
    times = [(2, 20_000), (1, 21_999), (1, 22_000), (2, 29_999), (3, 29_999)]
    found = table("q5", [bid(number, 1, at) for number, at in times])
    assert found[20_000] == {"num": 2, "auctions": [1, 2]}
    assert found[12_000] == {"num": 1, "auctions": [1, 2]}
    assert found[22_000] == {"num": 1, "auctions": [1, 2, 3]}


def test_highest_of_equal_bids_is_the_earliest_then_that_with_the_smaller_numbers() -> None:
    site = [bid(3, 50, 5), bid(2, 70, 8), bid(1, 70, 8, bidder=6), bid(1, 70, 8, bidder=4), bid(0, 70, 10_000)]
    found = table("q7", site, partitions=1)
    assert [(start, b["auction"], b["bidder"]) for start, b in sorted(found.items())] == [(0, 1, 4), (10_000, 0, 1)]


def test_newcomer_who_sells_in_the_next_window_only_is_not_told() -> None:
    site = [person(1, 9_999), person(2, 9_999), auction(1, 9_999, seller=2), auction(2, 10_000, seller=1)]
    assert table("q8", site) == {(2, 0, 10_000): {"id": 2, "name": "name 2", "starttime": 0}}


def test_session_ends_after_more_than_ten_seconds_of_silence() -> None:
    assert table("q11", [bid(1, 1, 0), bid(2, 1, 10_000), bid(3, 1, 20_001)]) == {
        (1, 0, 10_000): 2,
        (1, 20_001, 20_001): 1,
    }
