"""What each query comes to, done again in plain Python over all events at once.

Keys are ids, or (id, start, end) of a window; values are what JSON holds. Of q12 it is how many bids a bidder has.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from apps.nexmark.model import Auction, Bid, Person

Rows = Iterator[tuple[int, dict[str, Any]]]
Table = dict[Any, Any]
WINDOW_MS, HOP_MS, GAP_MS = 10_000, 2_000, 10_000


class Site:
    """All events, by kind."""

    def __init__(self, events: Iterable[Person | Auction | Bid]) -> None:
        kinds: dict[type, list[Any]] = {Person: [], Auction: [], Bid: []}
        for event in events:
            kinds[type(event)].append(event)
        self.persons: list[Person] = kinds[Person]
        self.auctions: list[Auction] = kinds[Auction]
        self.bids: list[Bid] = kinds[Bid]


def expected(query: str, site: Site) -> Rows | Table:
    """Of a stream all its records, of a table the rows that it ends with."""
    return _QUERIES[query](site)


def _plain(bid: Bid) -> dict[str, Any]:
    return {
        "auction": bid.auction, "bidder": bid.bidder, "price": bid.price, "dateTime": bid.date_time, "extra": bid.extra,
    }  # fmt: skip


def _q0(site: Site) -> Rows:
    return ((bid.auction, _plain(bid)) for bid in site.bids)


def _q1(site: Site) -> Rows:
    return ((bid.auction, {**_plain(bid), "price": 0.908 * bid.price}) for bid in site.bids)


def _q2(site: Site) -> Rows:
    return ((b.auction, {"auction": b.auction, "price": b.price}) for b in site.bids if b.auction % 123 == 0)


def _q3(site: Site) -> Table:
    local = {person.id: person for person in site.persons if person.state in ("OR", "ID", "CA")}
    return {
        a.id: {"name": p.name, "city": p.city, "state": p.state, "id": a.id}
        for a in site.auctions
        if a.category == 10 and (p := local.get(a.seller)) is not None
    }


def _finals(site: Site) -> Iterator[tuple[Auction, int]]:
    auctions = {auction.id: auction for auction in site.auctions}
    prices: dict[int, list[int]] = defaultdict(list)
    for bid in site.bids:
        auction = auctions.get(bid.auction)
        if auction is not None and auction.date_time <= bid.date_time <= auction.expires:
            prices[bid.auction].append(bid.price)
    for number, found in prices.items():
        yield auctions[number], max(found)


def _q4(site: Site) -> Table:
    prices: dict[int, list[int]] = defaultdict(list)
    for auction, price in _finals(site):
        prices[auction.category].append(price)
    return {category: sum(found) // len(found) for category, found in prices.items()}


def _q5(site: Site) -> Table:
    counts: dict[int, Counter[int]] = defaultdict(Counter)
    for bid in site.bids:
        last = bid.date_time - bid.date_time % HOP_MS
        for start in range(last, last - WINDOW_MS, -HOP_MS):
            counts[start][bid.auction] += 1
    rows = {}
    for start, by_auction in counts.items():
        most = max(by_auction.values())
        rows[start] = {"num": most, "auctions": sorted(a for a, number in by_auction.items() if number == most)}
    return rows


def _q6(site: Site) -> Table:
    closings: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for auction, price in _finals(site):
        closings[auction.seller].append((auction.expires, auction.id, price))
    last = {seller: sorted(found)[-10:] for seller, found in closings.items()}
    return {seller: sum(price for *_, price in found) // len(found) for seller, found in last.items()}


def _q7(site: Site) -> Table:
    windows: dict[int, list[Bid]] = defaultdict(list)
    for bid in site.bids:
        windows[bid.date_time - bid.date_time % WINDOW_MS].append(bid)
    return {
        start: _plain(min(bids, key=lambda bid: (-bid.price, bid.date_time, bid.auction, bid.bidder)))
        for start, bids in windows.items()
    }


def _q8(site: Site) -> Table:
    sold = {(auction.seller, auction.date_time // WINDOW_MS) for auction in site.auctions}
    rows = {}
    for person in site.persons:
        start = person.date_time - person.date_time % WINDOW_MS
        if (person.id, person.date_time // WINDOW_MS) in sold:
            rows[person.id, start, start + WINDOW_MS] = {"id": person.id, "name": person.name, "starttime": start}
    return rows


def _q11(site: Site) -> Table:
    times: dict[int, list[int]] = defaultdict(list)
    for bid in site.bids:
        times[bid.bidder].append(bid.date_time)
    rows = {}
    for bidder, found in times.items():
        session: list[int] = []
        for time in sorted(found):
            if session and time - session[-1] > GAP_MS:
                rows[bidder, session[0], session[-1]] = len(session)
                session = []
            session.append(time)
        rows[bidder, session[0], session[-1]] = len(session)
    return rows


def _q12(site: Site) -> Table:
    return dict(Counter(bid.bidder for bid in site.bids))


_QUERIES: dict[str, Callable[[Site], Rows | Table]] = {
    "q0": _q0, "q1": _q1, "q2": _q2, "q3": _q3, "q4": _q4, "q5": _q5, "q6": _q6, "q7": _q7, "q8": _q8, "q11": _q11,
    "q12": _q12,
}  # fmt: skip
