"""Queries that bring persons and what they sell together."""

from apps.nexmark.model import Event
from apps.nexmark.topics import Names, topic
from framework import App, Stream, Table, Windowed, tumbling

CATEGORY = 10
LOCAL_STATES = ("OR", "ID", "CA")


class Seller(Event, frozen=True):
    """Where somebody lives."""

    name: str
    city: str
    state: str


class Item(Event, frozen=True):
    """What somebody sells."""

    id: int
    seller: int
    category: int


class LocalItem(Event, frozen=True):
    """An auction, and where its seller lives."""

    name: str
    city: str
    state: str
    id: int


class Named(Event, frozen=True):
    """A person."""

    name: str


class Sale(Event, frozen=True):
    """An auction of a person."""

    seller: int


class Newcomer(Event, frozen=True):
    """What a window knows of a person: the name once the person has come, and whether there is an auction."""

    name: str | None = None
    has_auction: bool = False


class NewSeller(Event, frozen=True):
    """Somebody who came and opened an auction within the window that began at `starttime`."""

    id: int
    name: str | None
    starttime: int


def local_items(app: App, names: Names) -> None:
    """q3: what is sold in category 10 by people of three states; a seller may come after the auction."""
    auctions, persons = topic(app, names.auctions, int, Item), topic(app, names.persons, int, Seller)
    found = topic(app, names.output, int, LocalItem)

    @app.topology(auctions, persons, to=found)
    def q3(auctions: Stream[int, Item], persons: Stream[int, Seller]) -> Table[int, LocalItem]:
        items, sellers = auctions.filter(is_in_category).to_table(), persons.filter(is_local).to_table()
        return items.join(sellers, on=seller_of_item, value=local_item)


def new_users(app: App, names: Names) -> None:
    """q8: who came and opened an auction within the same ten seconds.

    Auctions go to the partition of their seller through a repartition topic. While a backlog is read, persons are far
    ahead of them, which the grace allows for.
    """
    persons, auctions = topic(app, names.persons, int, Named), topic(app, names.auctions, int, Sale)
    found = topic(app, names.output, Windowed[int], NewSeller)

    @app.topology(persons, auctions, to=found)
    def q8(persons: Stream[int, Named], auctions: Stream[int, Sale]) -> Stream[Windowed[int], NewSeller]:
        came, sold = persons.group_by_key(), auctions.group_by(seller_of_sale)
        windows = came.window(tumbling("10s", grace="1h"))
        newcomers: Table[Windowed[int], Newcomer] = windows.cogroup({came: has_come, sold: has_sold}, initial=Newcomer)
        return newcomers.to_stream().filter(is_new_seller).map_items(new_seller)


def is_in_category(item: Item) -> bool:
    return item.category == CATEGORY


def is_local(seller: Seller) -> bool:
    return seller.state in LOCAL_STATES


def seller_of_item(item: Item) -> int:
    return item.seller


def local_item(item: Item, seller: Seller) -> LocalItem:
    return LocalItem(seller.name, seller.city, seller.state, item.id)


def seller_of_sale(sale: Sale) -> int:
    return sale.seller


def has_come(state: Newcomer, person: Named) -> Newcomer:
    return Newcomer(person.name, state.has_auction)


def has_sold(state: Newcomer, _: Sale) -> Newcomer:
    return state if state.has_auction else Newcomer(state.name, has_auction=True)


def is_new_seller(state: Newcomer) -> bool:
    return state.name is not None and state.has_auction


def new_seller(window: Windowed[int], state: Newcomer) -> tuple[Windowed[int], NewSeller]:
    return window, NewSeller(window.key, state.name, window.start)
