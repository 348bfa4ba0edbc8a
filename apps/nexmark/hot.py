"""Queries for the greatest of a window: the hottest auctions, the highest bid.

First by auction, where the bids lie, then by window. The second step sees each change of the first. What it looks for
only grows while a window fills, so the last change tells, and no change has to be taken back.
"""

from apps.nexmark.filters import PlainBid
from apps.nexmark.model import Event
from apps.nexmark.topics import Names, topic
from framework import App, Stream, Table, Windowed, hopping, tumbling


class BidCount(Event, frozen=True):
    """How many bids an auction has in a window."""

    auction: int
    num: int


class HotItems(Event, frozen=True):
    """The greatest number of bids in a window, and the auctions that have so many."""

    num: int
    auctions: tuple[int, ...]


def hot_items(app: App, names: Names) -> None:
    """q5: the auctions with most bids within ten seconds, each two seconds."""
    bids, hottest = topic(app, names.bids, int, bytes), topic(app, names.output, int, HotItems)

    @app.topology(bids, to=hottest)
    def q5(bids: Stream[int, bytes]) -> Table[int, HotItems]:
        counts = bids.group_by_key().window(hopping("10s", "2s", grace="4s")).count()
        by_window = counts.to_stream().map_items(count_by_window).group_by_key()
        return by_window.aggregate(no_items, hotter)


def highest_bid(app: App, names: Names) -> None:
    """q7: the highest bid of each ten seconds."""
    bids, highest = topic(app, names.bids, int, PlainBid), topic(app, names.output, int, PlainBid)

    @app.topology(bids, to=highest)
    def q7(bids: Stream[int, PlainBid]) -> Table[int, PlainBid]:
        by_auction = bids.group_by_key().window(tumbling("10s", grace="4s")).reduce(higher_bid)
        return by_auction.to_stream().map_items(bid_by_window).group_by_key().reduce(higher_bid)


def count_by_window(window: Windowed[int], num: int) -> tuple[int, BidCount]:
    return window.start, BidCount(window.key, num)


def no_items() -> HotItems:
    return HotItems(0, ())


def hotter(hot: HotItems, count: BidCount) -> HotItems:
    if count.num > hot.num:
        return HotItems(count.num, (count.auction,))
    if count.num < hot.num or count.auction in hot.auctions:
        return hot
    return HotItems(hot.num, tuple(sorted((*hot.auctions, count.auction))))


def bid_by_window(window: Windowed[int], bid: PlainBid) -> tuple[int, PlainBid]:
    return window.start, bid


def higher_bid(old: PlainBid, new: PlainBid) -> PlainBid:
    """The one with the higher price; of equal ones the earlier, then that with the smaller numbers."""
    if new.price != old.price:
        return new if new.price > old.price else old
    return min(old, new, key=lambda bid: (bid.date_time, bid.auction, bid.bidder))
