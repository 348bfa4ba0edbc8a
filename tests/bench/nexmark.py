"""The queries of NEXMark as jobs: their topics, loaded once for all, and what a run's output means.

All systems write the same bytes (apps/nexmark/README.md), so one reading serves them all. A query's records are those
of the topics it reads; what travels through its repartition topics is not counted.
"""

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec

from apps.nexmark.app import QUERIES, declare
from apps.nexmark.filters import EuroBid, PlainBid, Price
from apps.nexmark.generator import AUCTIONS, EVENTS, PERSONS, events
from apps.nexmark.load import fill
from apps.nexmark.topics import Names
from framework import App
from serde import Windowed, for_type
from tests.apps.nexmark.expected import Site, expected
from tests.bench.reader import read

JOBS = tuple(QUERIES)
_READS = {"q3": "pa", "q4": "ab", "q6": "ab", "q8": "pa"}  # persons, auctions, bids; the others read bids
_WINDOWED = ("q8", "q11", "q12")
_NUMBERS = ("q4", "q6", "q11", "q12")


class _PlainRow(PlainBid, frozen=True, forbid_unknown_fields=True):
    """What q0 writes, and nothing more."""


class _EuroRow(EuroBid, frozen=True, forbid_unknown_fields=True):
    """What q1 writes, and nothing more."""


class _PriceRow(Price, frozen=True, forbid_unknown_fields=True):
    """What q2 writes, and nothing more."""


_STREAMS: dict[str, type[msgspec.Struct]] = {"q0": _PlainRow, "q1": _EuroRow, "q2": _PriceRow}


@dataclass(frozen=True)
class NexmarkInputs:
    """The loaded topics, and how many events they hold together."""

    persons: str
    auctions: str
    bids: str
    count: int

    def records(self, job: str) -> int:
        """How many records a query reads."""
        whole, rest = divmod(self.count, EVENTS)
        persons = whole * PERSONS + min(rest, PERSONS)
        auctions = whole * AUCTIONS + min(max(rest - PERSONS, 0), AUCTIONS)
        of = {"p": persons, "a": auctions, "b": self.count - persons - auctions}
        return sum(of[kind] for kind in _READS.get(job, "b"))

    def names(self, output: str) -> Names:
        return Names(output, self.persons, self.auctions, self.bids)


def load(bootstrap: str, count: int) -> NexmarkInputs:
    """Write so many events to new topics."""
    tag = uuid.uuid4().hex[:8]
    inputs = NexmarkInputs(f"persons-{tag}", f"auctions-{tag}", f"bids-{tag}", count)
    fill(bootstrap, inputs.names(""), events(count))
    return inputs


def declare_query(job: str, inputs: NexmarkInputs, output: str) -> App:
    return declare(job, inputs.names(output), id=f"bench-{uuid.uuid4().hex[:8]}")


def what_it_comes_to(job: str, count: int) -> object:
    """What a query gives over so many events, in the form of `fingerprint`."""
    rows = expected(job, _site(count))
    if isinstance(rows, dict):
        return rows
    return _sum_of((key, tuple(value.values())) for key, value in rows)


def fingerprint(job: str, bootstrap: str, topic: str) -> object:
    """For tables the latest row of each key, for streams how many records there are, and a hash of the set of them."""
    messages = read(bootstrap, topic)
    keys = for_type(int).deserialize
    if job in _STREAMS:
        rows = msgspec.json.Decoder(_STREAMS[job]).decode
        return _sum_of((keys(m.key()), msgspec.structs.astuple(rows(m.value()))) for m in messages)
    key_of: Callable[[bytes], Any] = for_type(Windowed[int]).deserialize if job in _WINDOWED else keys
    value_of: Callable[[bytes], Any] = keys if job in _NUMBERS else json.loads
    latest = {message.key(): message.value() for message in messages}
    table = {key_of(key): value_of(value) for key, value in latest.items() if value is not None}
    if job != "q12":
        return table
    # Reason: which window a bid falls into depends on when it was processed.
    bidders: dict[int, int] = {}
    for (bidder, _, _), number in table.items():
        bidders[bidder] = bidders.get(bidder, 0) + number
    return bidders


@cache
def _site(count: int) -> Site:
    return Site(events(count))


def _sum_of(rows: Iterable[tuple[int, tuple[Any, ...]]]) -> tuple[int, int]:
    number = total = 0
    for row in rows:
        number += 1
        total += hash(row)
    return number, total
