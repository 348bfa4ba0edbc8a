"""What a run wrote, in a form that all systems must agree on before their figures count.

Systems write keys of windows and numbers each in its own way; the form is what these mean.
"""

import io
import json
import struct
from collections import Counter
from collections.abc import Callable

import fastavro

from tests.bench.reader import read
from tests.bench.workload import FIRST_TIMESTAMP_MS, GAP_MS, TAXED_AVRO, VAT, WINDOW_MS, WORDS_PER_LINE, events, lines

_DOUBLE = struct.Struct(">d")
_TABLES = ("count", "window", "words", "sessions")


def fingerprint(system: str, job: str, bootstrap: str, topic: str) -> object:
    """For tables the latest row of each key; for streams how many records there are, and a hash of the set of them."""
    records = read(bootstrap, topic)
    if job.removesuffix("-avro") in _TABLES:
        rows: dict[object, object] = {}
        for message in records:
            key, value = _row(system, job, message.key(), message.value())
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        return rows
    number = total = 0
    for message in records:
        number += 1
        value = message.value()
        total += hash((message.key(), _plain(job, value)))
    return number, total


def _plain(job: str, value: bytes) -> object:
    """A value of a stream so that it is equal to that of another system."""
    if job == "map-avro":
        return json.dumps(fastavro.schemaless_reader(io.BytesIO(value), TAXED_AVRO, None), sort_keys=True)
    return json.dumps(json.loads(value), sort_keys=True) if job == "map" else value


def expected(job: str, count: int) -> object | None:
    """What the job comes to, done again in plain Python; None: systems are compared with each other only."""
    job = job.removesuffix("-avro")
    if job == "map":
        total = 0
        for key, value, _ in events(count):
            event = json.loads(value)
            total += hash((key, json.dumps({**event, "vat": event["amount"] * VAT}, sort_keys=True)))
        return count, total
    if job == "words":
        return dict(Counter(word for _, line, _ in lines(count // WORDS_PER_LINE) for word in line.split(b" ")))
    if job == "count":
        return dict(Counter(key for key, _, _ in events(count)))
    if job == "window":
        sums: dict[tuple[bytes, int], float] = {}
        for key, value, timestamp in events(count):
            place = key, timestamp - timestamp % WINDOW_MS
            sums[place] = sums.get(place, 0.0) + float(json.loads(value)["amount"])
        return sums
    return _sessions(count) if job == "sessions" else None


def _sessions(count: int) -> object:
    open_: dict[bytes, tuple[int, int, int]] = {}
    rows: dict[tuple[bytes, int, int], int] = {}
    for key, _, timestamp in events(count):
        start, end, number = open_.get(key, (timestamp, FIRST_TIMESTAMP_MS - GAP_MS - 1, 0))
        if timestamp - end > GAP_MS:
            start, number = timestamp, 0
        else:
            del rows[key, start, end]
        open_[key] = start, timestamp, number + 1
        rows[key, start, timestamp] = number + 1
    return rows


def _row(system: str, job: str, key: bytes, value: bytes | None) -> tuple[object, object]:
    job = job.removesuffix("-avro")
    return _ROWS.get((system, job), _ROWS["", job])(key, value)


def _count(key: bytes, value: bytes | None) -> tuple[object, object]:
    return key, None if value is None else int.from_bytes(value, "big")


def _sum(key: bytes, value: bytes | None) -> tuple[object, object]:
    place = key[:-16], int.from_bytes(key[-16:-8], "big")
    return place, None if value is None else _DOUBLE.unpack(value)[0]


def _session(key: bytes, value: bytes | None) -> tuple[object, object]:
    return (key[:-16], int.from_bytes(key[-16:-8], "big"), int.from_bytes(key[-8:], "big")), _count(b"", value)[1]


def _java_sum(key: bytes, value: bytes | None) -> tuple[object, object]:
    user, start = key.split(b"@")
    return (user, int(start)), None if value is None else _DOUBLE.unpack(value)[0]


def _java_session(key: bytes, value: bytes | None) -> tuple[object, object]:
    user, _, bounds = key.partition(b"@")
    start, end = bounds.split(b"-")
    return (user, int(start), int(end)), _count(b"", value)[1]


def _json_count(key: bytes, value: bytes | None) -> tuple[object, object]:
    return key, None if value is None else json.loads(value)


def _json_sum(key: bytes, value: bytes | None) -> tuple[object, object]:
    found = json.loads(value or b"null")
    return (key, found["start"]), found["value"]


_ROWS: dict[tuple[str, str], Callable[[bytes, bytes | None], tuple[object, object]]] = {
    ("", "count"): _count,
    ("", "words"): _count,
    ("", "window"): _sum,
    ("", "sessions"): _session,
    ("streams", "window"): _java_sum,
    ("streams", "sessions"): _java_session,
    ("quix", "count"): _json_count,
    ("quix", "words"): _json_count,
    ("quix", "window"): _json_sum,
}
