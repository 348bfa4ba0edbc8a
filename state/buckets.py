"""A store of several rows per key: the rows of a key in one segment of time are a bucket, in order of time and arrival.

Keys have the bucket layout of `keys.py`: what the keys of one bucket begin with is its prefix (segment, length of the
key, key), what they end with a row's suffix (time, number among the rows of that time).

Invariant: no row is later than the clock. So a segment that begins after the committed clock has nothing on disk: it is
`new`, and its buckets are here whole until the commit, without a look at the disk.

A bucket of an older segment that is looked into is read by one scan and then remembered, sorted; rows that come and go
are put into it, so a busy key costs no further scan. What is remembered is bounded like the entries of the other
stores: in two generations, the old one forgotten unless it is used again.
"""

import struct
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
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
_TIME, _SUFFIX = struct.Struct(">Q"), struct.Struct(">QI")
_EMPTY: Bucket = []
_NOTHING: dict[bytes, Bucket] = {}
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
    return _SUFFIX.pack(time_ms, number)


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
        self._new: dict[int, dict[bytes, Bucket]] = {}  # buckets of new segments, by segment and key
        self._known: dict[bytes, Bucket] = {}
        self._known_before: dict[bytes, Bucket] = {}
        self._weight = 0  # rows and buckets of the young generation
        self._touched: dict[bytes, set[bytes]] = {}  # suffixes of the three layers in older segments, by prefix

    def rows(self, key: bytes, from_ms: int, to_ms: int) -> Bucket:
        """The rows of a key of from_ms <= time <= to_ms, in the order of time and number."""
        found: Bucket = []
        if to_ms < 0:
            return found
        from_ms = max(0, from_ms)
        segment_ms, committed_ms = self.spec.segment_ms, self._committed_clock_ms
        for segment in range(from_ms - from_ms % segment_ms, to_ms + 1, segment_ms):
            if segment <= committed_ms:
                bucket = self._older(_TIME.pack(segment) + bucket_prefix(key))
            else:
                bucket = self._new.get(segment, _NOTHING).get(key, _EMPTY)
            if bucket:
                # Reason: a row compares by its suffix, which is never equal to a bound.
                low = bisect_left(bucket, (time_bytes(from_ms),))
                found += bucket[low : bisect_left(bucket, (time_bytes(to_ms + 1),))]
        return found

    def get_many(self, keys: Collection[bytes]) -> list[Entry | None]:
        # Reason: single rows are asked for seldom, and once; buckets are what is remembered.
        found: list[Entry | None] = [self._uncommitted_entry(k) if self._is_changed(k) else None for k in keys]
        missing = [key for key, entry in zip(keys, found, strict=True) if entry is None]
        if missing:
            stored = iter(self._backend.get_many(self.name, missing))
            found = [
                entry if entry is not None or (data := next(stored)) is None else self._decode(data) for entry in found
            ]
        return found

    def add(self, key: bytes, time_ms: int, value: Any) -> bytes:
        """Add a row after those of the same key and time, and move the clock; returns its suffix."""
        segment, number = time_ms - time_ms % self.spec.segment_ms, 0
        if time_ms > self.clock_ms:
            # Invariant: no row is later than the clock, so what comes in order needs no look.
            self.clock_ms = time_ms
        else:
            number = self._next_number(segment, key, time_ms)
        suffix = _SUFFIX.pack(time_ms, number)
        self._change(segment, key, suffix, (value, time_ms))
        return suffix

    def remove(self, key: bytes, suffix: bytes) -> None:
        """Remove a row; the others of its time have to go with it."""
        time_ms = suffix_time(suffix)
        self._change(segment_of(time_ms, self.spec.segment_ms), key, suffix, (None, time_ms))

    def _next_number(self, segment: int, key: bytes, time_ms: int) -> int:
        if segment > self._committed_clock_ms:
            bucket = self._new.get(segment, _NOTHING).get(key, _EMPTY)
        else:
            prefix = _TIME.pack(segment) + bucket_prefix(key)
            known = self._known.get(prefix)
            if known is None:
                known = self._known_before.get(prefix)
            if known is None:
                # Reason: most times have one row, and to ask for the first one costs less than to read the bucket.
                # Invariant: rows of one key and time are removed together, so without a first one there is none.
                first = suffix_of(time_ms, 0)
                if first not in self._touched.get(prefix, ()) and self._backend.get(self.name, prefix + first) is None:
                    return 0
                known = self._older(prefix)
            bucket = known
        last = bisect_left(bucket, (time_bytes(time_ms + 1),)) - 1
        if last < 0 or suffix_time(bucket[last][0]) != time_ms:
            return 0
        return number_of(bucket[last][0]) + 1

    def put_many(self, changes: Mapping[bytes, Entry]) -> None:
        for place, entry in changes.items():
            end = _prefix_end(place)
            self._change(time_of(place), place[_LENGTH_END:end], place[end:], entry)

    # The life of a change

    def reject(self) -> None:
        for place in self._fresh:
            end = _prefix_end(place)
            prefix, suffix = place[:end], place[end:]
            before = self._dirty.get(place, self._flushed.get(place))
            if time_of(place) > self._committed_clock_ms:
                bucket = self._new[time_of(place)][place[_LENGTH_END:end]]
                _put_row(bucket, suffix, (None, 0) if before is None else before)
                continue
            self._known.pop(prefix, None)
            self._known_before.pop(prefix, None)
            if before is None:
                self._touched.get(prefix, set()).discard(suffix)
        super().reject()

    def committed(self) -> None:
        super().committed()
        self._touched = {}
        new, self._new = self._new, {}
        oldest_ms = self.spec.oldest_kept_ms(self.clock_ms)
        for segment, buckets in new.items():
            if segment >= oldest_ms:
                start = _TIME.pack(segment)
                for key, bucket in buckets.items():
                    self._remember(start + bucket_prefix(key), bucket)

    def abort(self) -> None:
        super().abort()
        self._touched, self._known, self._known_before, self._weight, self._new = {}, {}, {}, 0, {}

    # How it is done

    def _change(self, segment: int, key: bytes, suffix: bytes, entry: Entry) -> None:
        prefix = _TIME.pack(segment) + bucket_prefix(key)
        place = prefix + suffix
        self._fresh[place] = entry
        if segment > self._committed_clock_ms:
            buckets = self._new.get(segment)
            if buckets is None:
                buckets = self._new[segment] = {}
            bucket = buckets.get(key)
            if bucket is None:
                buckets[key] = [] if entry[0] is None else [(suffix, entry)]
            else:
                _put_row(bucket, suffix, entry)
            if entry[0] is None:
                self._unstored.add(place)
            return
        self._touched.setdefault(prefix, set()).add(suffix)
        known = self._known.get(prefix)
        if known is None:
            known = self._known_before.get(prefix)
        if known is not None:
            _put_row(known, suffix, entry)
            self._weight += 1

    def _older(self, prefix: bytes) -> Bucket:
        """A bucket of a segment that is not new, sorted; not to be changed, and valid until the store changes."""
        rows = self._known.get(prefix)
        if rows is None:
            rows = self._known_before.pop(prefix, None)
            if rows is None:
                rows = self._load(prefix)
            self._remember(prefix, rows)
        return rows

    def _load(self, prefix: bytes) -> Bucket:
        width = len(prefix)
        end = prefix + b"\xff" * (TIME_WIDTH + _NUMBER_WIDTH)
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


def _put_row(bucket: Bucket, suffix: bytes, entry: Entry) -> None:
    """Put a row into its bucket, or take it out if its value is None."""
    at = bisect_left(bucket, (suffix,))
    if at < len(bucket) and bucket[at][0] == suffix:
        del bucket[at]
    if entry[0] is not None:
        bucket.insert(at, (suffix, entry))


def _prefix_end(key: bytes) -> int:
    return _LENGTH_END + int.from_bytes(key[TIME_WIDTH:_LENGTH_END], "big")
