"""Versioned stores, against the cases recorded from Kafka Streams."""

import math
from typing import Any

import pytest

from serde import for_type
from state import MemoryBackend, TaskState
from state.versioned import Version, VersionedStore, versioned_specs
from tests.vectors.runner import Case, cases


@pytest.mark.parametrize("case", cases("streams.yaml", "VER"))
def test_versioned_store(case: Case) -> None:
    op = case["op"]
    specs = versioned_specs("store", for_type(str), for_type(str), op["history_retention"], op["segment_interval"])
    state = TaskState(specs, MemoryBackend([spec.name for spec in specs]))
    store = VersionedStore(*state.stores.values())
    for number, (verb, key, *arguments) in enumerate(case["ops"]):
        _OPERATIONS[verb](store, str(key).encode(), *arguments)
        # Reason: whether a version is in memory or in the backend must make no difference.
        if number % 2:
            state.changelog()
            state.commit({})


def put(store: VersionedStore, key: bytes, value: str | None, time_ms: int, until: Any) -> None:
    result = store.put(key, value, time_ms)
    assert ("rejected" if result == "expired" else _number(result.until_ms)) == _number(until)


def get(store: VersionedStore, key: bytes, value: str | None, time_ms: int | None = None) -> None:
    assert store.get(key) == (None if value is None else Version(value, time_ms, None))


def get_as_of(
    store: VersionedStore, key: bytes, as_of: int, value: str | None, time_ms: int | None = None, until: Any = None
) -> None:
    found = store.get_as_of(key, as_of)
    if value is None:
        assert found is None
    else:
        assert found is not None
        assert (found.value, found.from_ms, _number(found.until_ms)) == (value, time_ms, _number(until))


def delete(store: VersionedStore, key: bytes, time_ms: int, value: str | None, old_ms: int | None = None) -> None:
    found = store.delete(key, time_ms)
    assert (found and (found.value, found.from_ms)) == (None if value is None else (value, old_ms))


def _number(until: Any) -> Any:
    return math.inf if until in (None, "inf") else until


_OPERATIONS = {"put": put, "get": get, "get_as_of": get_as_of, "delete": delete}
