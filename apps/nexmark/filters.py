"""Queries over single bids: pass them through, convert their currency, select some.

What a query does not ask for is not decoded. A record that no step has changed leaves as the bytes that came, with all
its fields; so where fields are left out, a map makes the new value.
"""

from apps.nexmark.model import Event
from apps.nexmark.topics import Names, topic
from framework import App, Stream

DOLLAR_IN_EURO = 0.908
SELECTED = 123


class PlainBid(Event, frozen=True):
    """A bid without where it came from."""

    auction: int
    bidder: int
    price: int
    date_time: int
    extra: str


class EuroBid(Event, frozen=True):
    """A bid in another currency."""

    auction: int
    bidder: int
    price: float
    date_time: int
    extra: str


class Price(Event, frozen=True):
    """What was offered for an auction."""

    auction: int
    price: int


def pass_through(app: App, names: Names) -> None:
    """q0: each bid, decoded and encoded again."""
    bids, same = topic(app, names.bids, int, PlainBid), topic(app, names.output, int, PlainBid)

    @app.topology(bids, to=same)
    def q0(bids: Stream[int, PlainBid]) -> Stream[int, PlainBid]:
        return bids.map(copy_of)


def convert_currency(app: App, names: Names) -> None:
    """q1: each bid with its price in euro."""
    bids, converted = topic(app, names.bids, int, PlainBid), topic(app, names.output, int, EuroBid)

    @app.topology(bids, to=converted)
    def q1(bids: Stream[int, PlainBid]) -> Stream[int, EuroBid]:
        return bids.map(in_euro)


def select_auctions(app: App, names: Names) -> None:
    """q2: auction and price of the bids for every 123rd auction."""
    bids, selected = topic(app, names.bids, int, Price), topic(app, names.output, int, Price)

    @app.topology(bids, to=selected)
    def q2(bids: Stream[int, Price]) -> Stream[int, Price]:
        return bids.filter(is_selected).map(copy_price)


def copy_of(bid: PlainBid) -> PlainBid:
    return PlainBid(bid.auction, bid.bidder, bid.price, bid.date_time, bid.extra)


def in_euro(bid: PlainBid) -> EuroBid:
    return EuroBid(bid.auction, bid.bidder, DOLLAR_IN_EURO * bid.price, bid.date_time, bid.extra)


def is_selected(bid: Price) -> bool:
    return bid.auction % SELECTED == 0


def copy_price(bid: Price) -> Price:
    return Price(bid.auction, bid.price)
