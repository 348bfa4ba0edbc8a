"""Layout of composite keys. Both begin with a time, so that what is too old is one range at the start of the store.

| layout | bytes | for |
|---|---|---|
| time first | time (8) + key | windows of fixed size, buffers: look-up by time and key, scans in time order |
| bucket | segment (8) + length of key (4) + key + time (8) + rest | entries of a key in time order: sessions, joins |

Times are ms since the epoch, >= 0, big-endian, so bytes sort as times do. A segment is the start of an interval that
the entry's time falls in; keys carry their length, so that no key's entries stand among those of another.
"""

import struct
from collections.abc import Iterator

TIME_WIDTH = 8
_TIME = struct.Struct(">Q")
_LENGTH = struct.Struct(">I")
MAX_TIME = (1 << 63) - 1


def time_bytes(time_ms: int) -> bytes:
    """A time (ms, >= 0) as 8 bytes that sort as it does."""
    return _TIME.pack(time_ms)


def time_of(key: bytes, at: int = 0) -> int:
    """The time (ms) that stands at this place of a composite key."""
    return int(_TIME.unpack_from(key, at)[0])


def bucket_prefix(key: bytes) -> bytes:
    """What follows the segment in every entry of a key."""
    return _LENGTH.pack(len(key)) + key


def bucket_key(segment_ms: int, key: bytes, time_ms: int, rest: bytes = b"") -> bytes:
    """The place of one entry of a key."""
    return _TIME.pack(segment_ms) + _LENGTH.pack(len(key)) + key + _TIME.pack(time_ms) + rest


def bucket_parts(composite: bytes) -> tuple[bytes, int, bytes]:
    """Key, time (ms) and rest of an entry."""
    end = TIME_WIDTH + _LENGTH.size + int(_LENGTH.unpack_from(composite, TIME_WIDTH)[0])
    return composite[TIME_WIDTH + _LENGTH.size : end], time_of(composite, end), composite[end + TIME_WIDTH :]


def segment_of(time_ms: int, segment_ms: int) -> int:
    """The start of the segment of so many ms that a time falls in."""
    return time_ms - time_ms % segment_ms


def bucket_ranges(key: bytes, from_ms: int, to_ms: int, segment_ms: int) -> Iterator[tuple[bytes, bytes]]:
    """The ranges [start, end) that hold a key's entries of from_ms <= time <= to_ms, in the order of time."""
    prefix = bucket_prefix(key)
    low, high = prefix + _TIME.pack(max(0, from_ms)), prefix + _TIME.pack(to_ms + 1)
    for segment in range(segment_of(max(0, from_ms), segment_ms), to_ms + 1, segment_ms):
        start = _TIME.pack(segment)
        yield start + low, start + high
