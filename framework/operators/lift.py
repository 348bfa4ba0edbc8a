"""User functions on a record, lifted to chunks: one comprehension each, and the only place that calls them."""

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

from framework.chunk import Chunk
from framework.operators.base import Operator
from framework.operators.timestamps import check_timestamps, extracted
from framework.records import Headers

Lifted = Callable[[Chunk], Chunk]


class LiftedOperator(Operator):
    """A step without state: a function from chunk to chunk."""

    __slots__ = ("_lifted",)

    def __init__(self, lifted: Lifted) -> None:
        self._lifted = lifted

    def process(self, chunk: Chunk) -> Chunk:
        return self._lifted(chunk)


def lift_map(fn: Callable[[Any], Any]) -> Lifted:
    return lambda chunk: chunk.with_values(list(map(fn, chunk.values.decoded)))


def lift_filter(fn: Callable[[Any], Any]) -> Lifted:
    return lambda chunk: chunk.select(list(map(fn, chunk.values.decoded)))


def lift_filter_items(fn: Callable[[Any, Any], Any]) -> Lifted:
    return lambda chunk: chunk.select(list(map(fn, chunk.keys.decoded, chunk.values.decoded)))


def lift_flat_map(fn: Callable[[Any], Any]) -> Lifted:
    def flat_map(chunk: Chunk) -> Chunk:
        # Reason: most functions return a list, which is not changed here.
        given = map(fn, chunk.values.decoded)
        results = [result if type(result) is list else list(result) for result in given]
        return _repeated(chunk, results).with_values(list(chain.from_iterable(results)))

    return flat_map


def lift_handle(fn: Callable[[Any], Any]) -> Lifted:
    def handle(chunk: Chunk) -> Chunk:
        results = list(map(fn, chunk.values.decoded))
        return chunk.with_values(results).select([result is not None for result in results])

    return handle


def lift_map_items(fn: Callable[[Any, Any], Any]) -> Lifted:
    def map_items(chunk: Chunk) -> Chunk:
        pairs = [(key, value) for key, value in map(fn, chunk.keys.decoded, chunk.values.decoded)]
        return chunk.with_keys([key for key, _ in pairs]).with_values([value for _, value in pairs])

    return map_items


def lift_flat_map_items(fn: Callable[[Any, Any], Any]) -> Lifted:
    def flat_map_items(chunk: Chunk) -> Chunk:
        results = [list(result) for result in map(fn, chunk.keys.decoded, chunk.values.decoded)]
        pairs = [(key, value) for key, value in chain.from_iterable(results)]
        repeated = _repeated(chunk, results)
        return repeated.with_keys([key for key, _ in pairs]).with_values([value for _, value in pairs])

    return flat_map_items


def lift_rekey(fn: Callable[[Any], Any]) -> Lifted:
    return lambda chunk: chunk.with_keys(list(map(fn, chunk.values.decoded)))


def lift_peek(fn: Callable[[Any], Any]) -> Lifted:
    def peek(chunk: Chunk) -> Chunk:
        for value in chunk.values.decoded:
            fn(value)
        return chunk

    return peek


def lift_with_timestamps(fn: Callable[[Any], int]) -> Lifted:
    def with_timestamps(chunk: Chunk) -> Chunk:
        timestamps = extracted(fn, chunk)
        check_timestamps(timestamps)
        return Chunk(chunk.keys, chunk.values, timestamps, chunk.headers, chunk.order)

    return with_timestamps


def lift_with_headers(fn: Callable[[Any], Mapping[str, Any]]) -> Lifted:
    def with_headers(chunk: Chunk) -> Chunk:
        added = [headers_of(fn(value)) for value in chunk.values.decoded]
        headers: list[Headers | None] = [
            [header for header in old or () if header[0] not in new] + list(new.items())
            for old, new in zip(chunk.headers or [None] * len(chunk), added, strict=True)
        ]
        return Chunk(chunk.keys, chunk.values, chunk.timestamps, headers, chunk.order)

    return with_headers


def headers_of(given: Mapping[str, Any]) -> dict[str, bytes | None]:
    """Headers as they are written: text as UTF-8. Raises TypeError for anything that is neither text nor bytes."""
    headers: dict[str, bytes | None] = {}
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str | bytes | None):
            raise TypeError(f"the header {name!r} is {value!r}: names are texts, values are texts, bytes or None")
        headers[name] = value.encode() if isinstance(value, str) else value
    return headers


def pass_on(chunk: Chunk) -> Chunk:
    return chunk


def _repeated(chunk: Chunk, results: list[list[Any]]) -> Chunk:
    """The chunk with each record as often as it has results."""
    if all(len(result) == 1 for result in results):
        return chunk
    return chunk.take([i for i, result in enumerate(results) for _ in result])


LIFTED: dict[str, Callable[..., Lifted]] = {
    "map": lift_map,
    "filter": lift_filter,
    "filter_items": lift_filter_items,
    "flat_map": lift_flat_map,
    "handle": lift_handle,
    "map_items": lift_map_items,
    "flat_map_items": lift_flat_map_items,
    "rekey": lift_rekey,
    "group_by": lift_rekey,
    "peek": lift_peek,
    "for_each": lift_peek,
    "with_timestamps": lift_with_timestamps,
    "with_headers": lift_with_headers,
}
