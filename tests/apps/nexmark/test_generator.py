"""The events: their shares and rules are the published ones."""

from collections import Counter
from itertools import pairwise
from statistics import mean

import pytest

from apps.nexmark.generator import FIRST_TIME_MS, LONGEST_AUCTION_MS, events, time_of
from apps.nexmark.model import Auction, Bid, Person
from tests.apps.nexmark.expected import Site

COUNT = 20_000


@pytest.fixture(scope="module")
def site() -> Site:
    return Site(events(COUNT))


def test_of_fifty_events_one_is_a_person_three_are_auctions_and_the_others_bids() -> None:
    kinds = [type(event) for event in events(100)]
    assert kinds == 2 * ([Person] + 3 * [Auction] + 46 * [Bid])


def test_events_of_one_seed_are_the_same_and_those_of_another_differ() -> None:
    assert list(events(500)) == list(events(500))
    assert list(events(500, seed=1)) != list(events(500, seed=2))


def test_fewer_events_are_the_beginning_of_more() -> None:
    assert list(events(500)) == list(events(600))[:500]


def test_ten_events_have_one_millisecond_and_time_never_goes_back() -> None:
    times = [event.date_time for event in events(1_000)]
    assert all(a <= b for a, b in pairwise(times))
    assert Counter(times) == {FIRST_TIME_MS + ms: 10 for ms in range(100)}


def test_persons_and_auctions_are_numbered_from_1000_as_they_come(site: Site) -> None:
    assert [person.id for person in site.persons] == list(range(1_000, 1_400))
    assert [auction.id for auction in site.auctions] == list(range(1_000, 2_200))


def test_half_of_the_bids_are_for_hot_auctions_and_the_others_for_those_near(site: Site) -> None:
    hot = 0
    for n, bid in enumerate(site.bids):
        last = 1_000 + n // 46 * 3 + 2
        hot += bid.auction == last // 100 * 100
        assert bid.auction == last // 100 * 100 or last - 100 <= bid.auction <= last + 10
    assert hot / len(site.bids) == pytest.approx(1 / 2, abs=0.03)


def test_three_of_four_bidders_are_the_second_person_of_the_last_hundred(site: Site) -> None:
    hot = sum(bid.bidder == 1_001 + n // 46 // 100 * 100 for n, bid in enumerate(site.bids))
    assert hot / len(site.bids) == pytest.approx(3 / 4, abs=0.03)
    assert max(bid.bidder for bid in site.bids) <= 1_000 + COUNT // 50 - 1 + 10


def test_three_of_four_sellers_are_the_first_person_of_the_last_hundred(site: Site) -> None:
    hot = sum(auction.seller == 1_000 + n // 3 // 100 * 100 for n, auction in enumerate(site.auctions))
    assert hot / len(site.auctions) == pytest.approx(3 / 4, abs=0.03)


def test_person_of_long_ago_neither_bids_nor_sells() -> None:
    last = list(events(60_000))[-1_000:]
    people = [
        event.bidder if isinstance(event, Bid) else event.seller for event in last if not isinstance(event, Person)
    ]
    assert min(people) >= 1_000 + 60_000 // 50 - 1_000 - 20


def test_auctions_last_as_long_as_a_hundred_more_take_on_average(site: Site) -> None:
    lengths = [auction.expires - auction.date_time for auction in site.auctions]
    assert min(lengths) >= 1
    assert max(lengths) <= LONGEST_AUCTION_MS == 334
    assert mean(lengths) == pytest.approx(time_of(100 * 50 // 3) - FIRST_TIME_MS, rel=0.05)


def test_prices_are_exponential_between_one_dollar_and_a_million(site: Site) -> None:
    prices = sorted(bid.price for bid in site.bids)
    assert prices[0] >= 100
    assert prices[-1] <= 100_000_000
    # The median of 10^(6u) is 10^3.
    assert 80_000 < prices[len(prices) // 2] < 125_000


def test_reserve_is_above_the_initial_bid_and_categories_are_five(site: Site) -> None:
    assert all(auction.reserve >= auction.initial_bid + 100 for auction in site.auctions)
    assert set(Counter(auction.category for auction in site.auctions)) == {10, 11, 12, 13, 14}


def test_sizes_are_200_500_and_100_bytes_on_average(site: Site) -> None:
    persons = [
        8 + len(p.name) + len(p.email_address) + len(p.credit_card) + len(p.city) + len(p.state) + len(p.extra)
        for p in site.persons
    ]
    assert mean(persons) == pytest.approx(200, rel=0.03)
    assert mean(48 + len(a.item_name) + len(a.description) + len(a.extra) for a in site.auctions) == pytest.approx(
        500, rel=0.03
    )
    assert mean(32 + len(bid.extra) for bid in site.bids) == pytest.approx(100, rel=0.03)


def test_half_of_the_bids_come_by_one_of_four_channels(site: Site) -> None:
    hot = sum(bid.channel in ("Google", "Facebook", "Baidu", "Apple") for bid in site.bids)
    assert hot / len(site.bids) == pytest.approx(1 / 2, abs=0.03)
