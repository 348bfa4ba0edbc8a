"""The queries as apps: `penstock run apps.nexmark.app:q5`."""

from collections.abc import Callable

from apps.nexmark.counts import processing_time, user_sessions
from apps.nexmark.filters import convert_currency, pass_through, select_auctions
from apps.nexmark.hot import highest_bid, hot_items
from apps.nexmark.people import local_items, new_users
from apps.nexmark.topics import Names
from apps.nexmark.winners import average_by_category, average_by_seller
from framework import App

QUERIES: dict[str, Callable[[App, Names], None]] = {
    "q0": pass_through,
    "q1": convert_currency,
    "q2": select_auctions,
    "q3": local_items,
    "q4": average_by_category,
    "q5": hot_items,
    "q6": average_by_seller,
    "q7": highest_bid,
    "q8": new_users,
    "q11": user_sessions,
    "q12": processing_time,
}


def declare(query: str, names: Names | None = None, *, id: str | None = None) -> App:
    """The app of a query.

    Args:
        query: its name, such as "q5".
        names: of its topics; None: those of README.md.
        id: of the app; None: that of its output topic.
    """
    names = names or Names(f"nexmark-{query}")
    app = App(id or names.output)
    QUERIES[query](app, names)
    return app


q0, q1, q2, q3, q4, q5, q6, q7, q8, q11, q12 = map(declare, QUERIES)
