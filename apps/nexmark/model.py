"""What happens on the auction site. In JSON names are in camel case; times are ms since the epoch, prices cents.

A query that needs few of the fields declares a smaller struct of its own; the others are then not even decoded.
"""

import msgspec


class Event(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """What the events share: they cannot change, and hold nothing that could refer back to them."""


class Person(Event, frozen=True):
    """Somebody who has come to the site."""

    id: int
    name: str
    email_address: str
    credit_card: str
    city: str
    state: str
    date_time: int
    extra: str


class Auction(Event, frozen=True):
    """Something that is for sale until `expires`."""

    id: int
    item_name: str
    description: str
    initial_bid: int
    reserve: int
    date_time: int
    expires: int
    seller: int
    category: int
    extra: str


class Bid(Event, frozen=True):
    """What a person offers for an auction."""

    auction: int
    bidder: int
    price: int
    channel: str
    url: str
    date_time: int
    extra: str
