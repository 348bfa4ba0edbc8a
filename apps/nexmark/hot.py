"""Queries for the greatest of a window: the hottest auctions, the highest bid.

First by auction, where the bids lie, then by window. The second step sees each change of the first. What it looks for
only grows while a window fills, so the last change tells, and no change has to be taken back. Of several the greatest
is the same in any grouping, so each chunk sends one result per window to where the windows lie.
"""

from apps.nexmark.filters import PlainBid
from apps.nexmark.model import Event
from apps.nexmark.topics import Names, topic
from framework import App, Stream, Table, Windowed, hopping, tumbling


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
        return counts.to_stream().map_items(count_by_window).group_by_key().reduce(hotter, associative=True)


def highest_bid(app: App, names: Names) -> None:
    """q7: the highest bid of each ten seconds."""
    bids, highest = topic(app, names.bids, int, PlainBid), topic(app, names.output, int, PlainBid)

    @app.topology(bids, to=highest)
    def q7(bids: Stream[int, PlainBid]) -> Table[int, PlainBid]:
        by_auction = bids.group_by_key().window(tumbling("10s", grace="4s")).reduce(higher_bid)
        return by_auction.to_stream().map_items(bid_by_window).group_by_key().reduce(higher_bid, associative=True)


def count_by_window(window: Windowed[int], num: int) -> tuple[int, HotItems]:
    return window.start, HotItems(num, (window.key,))


def hotter(old: HotItems, new: HotItems) -> HotItems:
    """The one with more bids; of equal ones both."""
    if new.num != old.num:
        return new if new.num > old.num else old
    return HotItems(old.num, tuple(sorted({*old.auctions, *new.auctions})))


def bid_by_window(window: Windowed[int], bid: PlainBid) -> tuple[int, PlainBid]:
    return window.start, bid


def higher_bid(old: PlainBid, new: PlainBid) -> PlainBid:
    """The one with the higher price; of equal ones the earlier, then that with the smaller numbers."""
    if new.price != old.price:
        return new if new.price > old.price else old
    return min(old, new, key=lambda bid: (bid.date_time, bid.auction, bid.bidder))
