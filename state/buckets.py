"""A store of several rows per key: the rows of a key in one segment of time are a bucket, in order of time and arrival.

Keys have the bucket layout of `keys.py`: what the keys of one bucket begin with is its prefix (segment, length of the
key, key), what they end with a row's suffix (time, number among the rows of that time). A bucket that is looked into is
read by one scan and then remembered, sorted; rows that come and go are put into it, so a busy key costs no further
scan. What is remembered is bounded like the entries of the other stores: in two generations, the old one forgotten
unless it is used again.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from serde import Serde
from serde.base import GuardedSerde
from state.base import BytesBackend
from state.keys import TIME_WIDTH, bucket_parts, bucket_prefix, segment_of, time_bytes, time_of
from state.keyvalue import KeyValueStore
from state.spec import StoreSpec

Entry = tuple[Any, int]
Bucket = list[tuple[bytes, Entry]]
_NUMBER_WIDTH = 4
_LENGTH_END = TIME_WIDTH + 4


class RowKey(NamedTuple):
    """One row of a key: its time (ms) and its number among the key's rows of that time; prints as `key@time#number`."""

    key: Any
    time: int
    number: int

    def __str__(self) -> str:
        return f"{self.key}@{self.time}#{self.number}"


@dataclass(frozen=True)
class RowKeySerde(GuardedSerde[RowKey]):
    """Keys of a bucket store, given the serde of the key inside and the length of a segment (ms)."""

    inner: Serde[Any]
    segment_ms: int

    @property
    def name(self) -> str:
        return f"row[{self.inner.name}]"

    def _encode_all(self, values: Sequence[RowKey]) -> list[bytes]:
        keys: list[Any] = self.inner.serialize_many([row.key for row in values])
        return [
            prefix_of(key, row.time, self.segment_ms) + suffix_of(row.time, row.number)
            for key, row in zip(keys, values, strict=True)
        ]

    def _decode_all(self, data: Sequence[bytes]) -> list[RowKey]:
        parts = [bucket_parts(item) for item in data]
        keys = self.inner.deserialize_many([key for key, _, _ in parts])
        return [
            RowKey(key, time_ms, int.from_bytes(rest, "big"))
            for key, (_, time_ms, rest) in zip(keys, parts, strict=True)
        ]


def prefix_of(key: bytes, time_ms: int, segment_ms: int) -> bytes:
    """What the keys of the bucket begin with that a key's row of this time belongs to."""
    return time_bytes(segment_of(time_ms, segment_ms)) + bucket_prefix(key)


def suffix_of(time_ms: int, number: int) -> bytes:
    """What a row's key ends with."""
    return time_bytes(time_ms) + number.to_bytes(_NUMBER_WIDTH, "big")


def suffix_time(suffix: bytes) -> int:
    """The time (ms) of a row."""
    return time_of(suffix)


def number_of(suffix: bytes) -> int:
    """The number of a row among those of its key and time."""
    return int.from_bytes(suffix[TIME_WIDTH:], "big")


class BucketStore(KeyValueStore[Entry]):
    """See the module. Rows are tuples (value or None, timestamp in ms), None only until the commit."""

    def __init__(self, spec: StoreSpec, backend: BytesBackend, cache_entries: int = 100_000) -> None:
        super().__init__(spec, backend, cache_entries)
        self._limit = max(1, cache_entries // 2)
        self._known: dict[bytes, Bucket] = {}
        self._known_before: dict[bytes, Bucket] = {}
        self._weight = 0  # rows and buckets of the young generation
        self._touched: dict[bytes, set[bytes]] = {}  # suffixes of the three layers, by prefix

    def bucket(self, prefix: bytes) -> Bucket:
        """The rows of a bucket, sorted; not to be changed, and valid until the store changes."""
        rows = self._known.get(prefix)
        if rows is None:
            rows = self._known_before.pop(prefix, None)
            if rows is None:
                rows = self._load(prefix)
            self._remember(prefix, rows)
        return rows

    def rows(self, key: bytes, from_ms: int, to_ms: int) -> Bucket:
        """The rows of a key of from_ms <= time <= to_ms, in the order of time and number."""
        found: Bucket = []
        if to_ms < 0:
            return found
        segment_ms, tail = self.spec.segment_ms, bucket_prefix(key)
        low, high = (time_bytes(max(0, from_ms)),), (time_bytes(to_ms + 1),)
        for segment in range(segment_of(max(0, from_ms), segment_ms), to_ms + 1, segment_ms):
            bucket = self.bucket(time_bytes(segment) + tail)
            if bucket:
                # Reason: a row compares by its suffix, which is never equal to a bound.
                found += bucket[bisect_left(bucket, low) : bisect_left(bucket, high)]
        return found

    def add(self, key: bytes, time_ms: int, value: Any) -> bytes:
        """Add a row after those of the same key and time, and move the clock; returns its suffix."""
        prefix = prefix_of(key, time_ms, self.spec.segment_ms)
        # Invariant: no row is later than the clock, so what comes in order needs no look.
        number = 0 if time_ms > self.clock_ms else self._next_number(prefix, time_ms)
        self.clock_ms = max(self.clock_ms, time_ms)
        suffix = suffix_of(time_ms, number)
        self._change(prefix, suffix, (value, time_ms))
        return suffix

    def remove(self, key: bytes, suffix: bytes) -> None:
        """Remove a row; the others of its time have to go with it."""
        time_ms = suffix_time(suffix)
        self._change(prefix_of(key, time_ms, self.spec.segment_ms), suffix, (None, time_ms))

    def _next_number(self, prefix: bytes, time_ms: int) -> int:
        known = self._known.get(prefix)
        if known is None:
            known = self._known_before.get(prefix)
        if known is None:
            # Reason: most times have one row, and to ask for the first one costs less than to read the bucket.
            # Invariant: rows of one key and time are removed together, so without a first one there is none.
            first = suffix_of(time_ms, 0)
            if first not in self._touched.get(prefix, ()) and self._backend.get(self.name, prefix + first) is None:
                return 0
            known = self.bucket(prefix)
        last = bisect_left(known, (time_bytes(time_ms + 1),)) - 1
        if last < 0 or suffix_time(known[last][0]) != time_ms:
            return 0
        return number_of(known[last][0]) + 1

    def put_many(self, changes: Mapping[bytes, Entry]) -> None:
        for key, entry in changes.items():
            end = _prefix_end(key)
            self._change(key[:end], key[end:], entry)

    def reject(self) -> None:
        for key in self._fresh:
            prefix, suffix = key[: _prefix_end(key)], key[_prefix_end(key) :]
            self._known.pop(prefix, None)
            self._known_before.pop(prefix, None)
            if key not in self._dirty and key not in self._flushed:
                self._touched.get(prefix, set()).discard(suffix)
        super().reject()

    def committed(self) -> None:
        super().committed()
        self._touched = {}

    def abort(self) -> None:
        super().abort()
        self._touched, self._known, self._known_before, self._weight = {}, {}, {}, 0

    def _change(self, prefix: bytes, suffix: bytes, entry: Entry) -> None:
        key = prefix + suffix
        self._fresh[key] = entry
        self._young.pop(key, None)
        self._old.pop(key, None)
        self._touched.setdefault(prefix, set()).add(suffix)
        known = self._known.get(prefix)
        if known is None:
            known = self._known_before.get(prefix)
        if known is None:
            return
        at = bisect_left(known, (suffix,))
        if at < len(known) and known[at][0] == suffix:
            del known[at]
        if entry[0] is not None:
            known.insert(at, (suffix, entry))
            self._weight += 1

    def _load(self, prefix: bytes) -> Bucket:
        width = len(prefix)
        end = prefix + b"\xff" * (TIME_WIDTH + _NUMBER_WIDTH)
        rows: dict[bytes, Entry] = {}
        # Invariant: no row is later than the clock, so a segment that begins after the committed one has none there.
        if not self.spec.has_clock or time_of(prefix) <= self._committed_clock_ms:
            rows = {key[width:]: self._decode(stored) for key, stored in self._backend.scan(self.name, prefix, end)}
        for suffix in self._touched.get(prefix, ()):
            rows[suffix] = self._uncommitted_entry(prefix + suffix)
        return sorted((suffix, entry) for suffix, entry in rows.items() if entry[0] is not None)

    def _remember(self, prefix: bytes, rows: Bucket) -> None:
        self._known[prefix] = rows
        self._weight += 1 + len(rows)
        if self._weight > self._limit:
            self._known_before, self._known = self._known, {prefix: rows}
            self._weight = 1 + len(rows)


def _prefix_end(key: bytes) -> int:
    return _LENGTH_END + int.from_bytes(key[TIME_WIDTH:_LENGTH_END], "big")
