"""The events of the auction site, by the rules and numbers of the published generator (README.md).

Event n is of the kind that n mod 50 says, and its time follows from n, so how many persons and auctions there are
already is known without keeping them. All other choices are made by dice with a seed, in the order of the events.
"""

from collections.abc import Callable, Iterator
from random import Random

from apps.nexmark.model import Auction, Bid, Person

FIRST_TIME_MS = 1_436_918_400_000  # 2015-07-15T00:00:00Z
EVENTS_PER_S = 10_000
PERSONS, AUCTIONS, BIDS = 1, 3, 46
EVENTS = PERSONS + AUCTIONS + BIDS  # in turn: the persons, the auctions, the bids
FIRST_ID = 1_000
FIRST_CATEGORY, CATEGORIES = 10, 5
IN_FLIGHT_AUCTIONS, ACTIVE_PERSONS = 100, 1_000
LEAD = 10  # so many persons and auctions are referred to before they come
HOT_GROUP = 100  # of so many persons or auctions one is hot
HOT_AUCTIONS, HOT_SELLERS, HOT_BIDDERS, HOT_CHANNELS = 2, 4, 4, 2  # all but one of so many choices fall on a hot one
CHANNELS = 10_000
PERSON_BYTES, AUCTION_BYTES, BID_BYTES = 200, 500, 100  # on average, numbers counted as 8
SEED = 7

_HOT_CHANNELS = ("Google", "Facebook", "Baidu", "Apple")
_STATES = ("AZ", "CA", "ID", "OR", "WA", "WY")
_CITIES = (
    "Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne",
)  # fmt: skip
_FIRST_NAMES = ("Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter")
_LAST_NAMES = ("Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_POOL = 1 << 16  # characters that texts are cut from
_IN_FLIGHT_EVENTS = IN_FLIGHT_AUCTIONS * EVENTS // AUCTIONS
LONGEST_AUCTION_MS = 2 * -(-_IN_FLIGHT_EVENTS * 1_000 // EVENTS_PER_S)


def events(count: int, seed: int = SEED) -> Iterator[Person | Auction | Bid]:
    """So many events, in the order of their times."""
    site = _Site(seed)
    for n in range(count):
        kind = n % EVENTS
        if kind >= PERSONS + AUCTIONS:
            yield site.bid(n)
        elif kind >= PERSONS:
            yield site.auction(n)
        else:
            yield site.person(n)


def time_of(n: int) -> int:
    """The time of an event (ms since the epoch)."""
    return FIRST_TIME_MS + n * 1_000 // EVENTS_PER_S


class _Site:
    """The dice, and the texts that they choose from."""

    def __init__(self, seed: int) -> None:
        dice = Random(seed)
        self._random: Callable[[], float] = dice.random
        self._extras = "".join(dice.choices(_LETTERS, k=_POOL))
        # One character in 13 of a text is a space, one in 13 of a part of an address an underscore.
        weights = [12 / 26] * 26 + [1]
        self._words = "".join(dice.choices(_LETTERS + " ", weights, k=_POOL))
        self._hot_channels = [(name, self._address()) for name in _HOT_CHANNELS]
        self._channels = [self._channel(i) for i in range(CHANNELS)]

    def person(self, n: int) -> Person:
        random = self._random
        name = f"{_FIRST_NAMES[int(random() * 11)]} {_LAST_NAMES[int(random() * 9)]}"
        email = f"{self._text(7)}@{self._text(5)}.com"
        card = " ".join(f"{int(random() * 10_000):04d}" for _ in range(4))
        city, state = _CITIES[int(random() * 10)], _STATES[int(random() * 6)]
        size = 8 + len(name) + len(email) + len(card) + len(city) + len(state)
        extra = self._extra(PERSON_BYTES - size)
        return Person(FIRST_ID + n // EVENTS, name, email, card, city, state, time_of(n), extra)

    def auction(self, n: int) -> Auction:
        random = self._random
        time = time_of(n)
        hot = n // EVENTS // HOT_GROUP * HOT_GROUP
        seller = hot if random() * HOT_SELLERS >= 1 else self._person(n)
        category = FIRST_CATEGORY + int(random() * CATEGORIES)
        initial = self._price()
        expires = time + 1 + int(random() * 2 * (time_of(n + _IN_FLIGHT_EVENTS) - time))
        name, description = self._text(20), self._text(100)
        reserve = initial + self._price()
        extra = self._extra(AUCTION_BYTES - len(name) - len(description) - 48)
        return Auction(
            FIRST_ID + _last_auction(n), name, description, initial, reserve, time, expires, FIRST_ID + seller,
            category, extra,
        )  # fmt: skip

    def bid(self, n: int) -> Bid:
        random = self._random
        last = _last_auction(n)
        if random() * HOT_AUCTIONS >= 1:
            auction = last // HOT_GROUP * HOT_GROUP
        else:
            first = max(last - IN_FLIGHT_AUCTIONS, 0)
            auction = first + int(random() * (last - first + 1 + LEAD))
        hot = n // EVENTS // HOT_GROUP * HOT_GROUP + 1
        bidder = hot if random() * HOT_BIDDERS >= 1 else self._person(n)
        price = self._price()
        if random() * HOT_CHANNELS >= 1:
            channel, url = self._hot_channels[int(random() * 4)]
        else:
            channel, url = self._channels[int(random() * CHANNELS)]
        return Bid(FIRST_ID + auction, FIRST_ID + bidder, price, channel, url, time_of(n), self._extra(BID_BYTES - 32))

    def _person(self, n: int) -> int:
        """One of the active persons, or one that comes next; counted from 0."""
        there = n // EVENTS + 1
        active = min(there, ACTIVE_PERSONS)
        return there - active + int(self._random() * (active + LEAD))

    def _price(self) -> int:
        return round(10 ** (self._random() * 6) * 100)

    def _text(self, most: int) -> str:
        """3 to `most` - 1 letters and spaces; spaces at the ends are cut."""
        at = int(self._random() * (_POOL - most))
        return self._words[at : at + 3 + int(self._random() * (most - 3))].strip()

    def _extra(self, size: int) -> str:
        """Letters, so many give or take a fifth."""
        if size < 0:
            return ""
        delta = round(size * 0.2)
        at = int(self._random() * (_POOL - 2 * size))
        return self._extras[at : at + size - delta + int(self._random() * 2 * delta)]

    def _address(self) -> str:
        parts = "/".join(self._text(5).replace(" ", "_") for _ in range(3))
        return f"https://www.nexmark.com/{parts}/item.htm?query=1"

    def _channel(self, i: int) -> tuple[str, str]:
        address = self._address()
        if self._random() * 10 >= 1:
            reversed_bits = int(f"{i:032b}"[::-1], 2)
            address += f"&channel_id={min(reversed_bits, (1 << 32) - reversed_bits)}"
        return f"channel-{i}", address


def _last_auction(n: int) -> int:
    """The number of auctions up to event n, itself included, less one; n is an auction or a bid."""
    return n // EVENTS * AUCTIONS + min(n % EVENTS - PERSONS, AUCTIONS - 1)
