"""Queries that count each bidder's bids."""

import time

from apps.nexmark.model import Event
from apps.nexmark.topics import Names, topic
from framework import App, Stream, Table, Windowed, session, tumbling


class Bidder(Event, frozen=True):
    """Who made a bid."""

    bidder: int


def user_sessions(app: App, names: Names) -> None:
    """q11: the bids of each session of a bidder; ten seconds of silence end it.

    Bids go to the partition of their bidder through a repartition topic. While a backlog is read, those of one
    partition are far ahead of those of another, which the grace allows for.
    """
    bids, counts = topic(app, names.bids, int, Bidder), topic(app, names.output, Windowed[int], int)

    @app.topology(bids, to=counts)
    def q11(bids: Stream[int, Bidder]) -> Table[Windowed[int], int]:
        return bids.group_by(bidder_of).window(session("10s", grace="1h")).count()


def processing_time(app: App, names: Names) -> None:
    """q12: the bids of each bidder within ten seconds of the wall clock, read when a bid is processed."""
    bids, counts = topic(app, names.bids, int, Bidder), topic(app, names.output, Windowed[int], int)

    @app.topology(bids, to=counts)
    def q12(bids: Stream[int, Bidder]) -> Table[Windowed[int], int]:
        return bids.with_timestamps(now_ms).group_by(bidder_of).window(tumbling("10s", grace="1m")).count()


def bidder_of(bid: Bidder) -> int:
    return bid.bidder


def now_ms(_: Bidder) -> int:
    return time.time_ns() // 1_000_000
