"""Queries over the final price of each auction: the highest bid while it was open."""

from apps.nexmark.generator import LONGEST_AUCTION_MS
from apps.nexmark.model import Event
from apps.nexmark.topics import Names, topic
from framework import App, Stream, Table

LAST_AUCTIONS = 10


class Offer(Event, frozen=True):
    """What an auction is, for those who look at its end."""

    id: int
    seller: int
    category: int
    expires: int


class TimedPrice(Event, frozen=True):
    """What was bid, and when."""

    price: int
    date_time: int


class Final(Event, frozen=True):
    """What an auction has come to, by the bid of this time."""

    id: int
    seller: int
    category: int
    expires: int
    price: int
    bid_time: int


class Closing(Event, frozen=True, order=True):
    """The price of one of a seller's auctions; those that close last are the greatest."""

    expires: int
    id: int
    price: int


def average_by_category(app: App, names: Names) -> None:
    """q4: the mean final price of each category."""
    auctions, bids = topic(app, names.auctions, int, Offer), topic(app, names.bids, int, TimedPrice)
    averages = topic(app, names.output, int, int)

    @app.topology(auctions, bids, to=averages)
    def q4(auctions: Stream[int, Offer], bids: Stream[int, TimedPrice]) -> Table[int, int]:
        return final_prices(auctions, bids).group_by(category_of, value=price_of).mean().map(int)


def average_by_seller(app: App, names: Names) -> None:
    """q6: the mean final price of each seller's ten auctions that close last."""
    auctions, bids = topic(app, names.auctions, int, Offer), topic(app, names.bids, int, TimedPrice)
    averages = topic(app, names.output, int, int)

    @app.topology(auctions, bids, to=averages)
    def q6(auctions: Stream[int, Offer], bids: Stream[int, TimedPrice]) -> Table[int, int]:
        by_seller = final_prices(auctions, bids).group_by(seller_of, value=closing_of)
        return by_seller.aggregate(no_auctions, with_auction, without_auction).map(mean_price)


def final_prices(auctions: Stream[int, Offer], bids: Stream[int, TimedPrice]) -> Table[int, Final]:
    """The highest valid bid of each auction so far; the grace allows for a topic that is read ahead of the other."""
    offers = auctions.join(bids, value=final_of, within=("0s", f"{LONGEST_AUCTION_MS}ms"), grace="10s")
    return offers.filter(is_in_time).group_by_key().reduce(higher)


def final_of(auction: Offer, bid: TimedPrice) -> Final:
    return Final(auction.id, auction.seller, auction.category, auction.expires, bid.price, bid.date_time)


def is_in_time(final: Final) -> bool:
    return final.bid_time <= final.expires


def higher(old: Final, new: Final) -> Final:
    return new if new.price > old.price else old


def category_of(final: Final) -> int:
    return final.category


def price_of(final: Final) -> int:
    return final.price


def seller_of(final: Final) -> int:
    return final.seller


def closing_of(final: Final) -> Closing:
    return Closing(final.expires, final.id, final.price)


def no_auctions() -> list[Closing]:
    return []


def with_auction(last: list[Closing], closing: Closing) -> list[Closing]:
    return sorted([*last, closing])[-LAST_AUCTIONS:]


def without_auction(last: list[Closing], closing: Closing) -> list[Closing]:
    """Without an auction whose price is about to change; if it was not among the last ones, it will not be again."""
    return [other for other in last if other.id != closing.id]


def mean_price(last: list[Closing]) -> int:
    return sum(closing.price for closing in last) // len(last)
