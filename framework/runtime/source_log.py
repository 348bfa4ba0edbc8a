"""A user's topic as the log of a table: which of its records are rows."""

import logging
from collections.abc import Sequence

from serde import SerdeError
from state import StoreSpec

log = logging.getLogger("penstock.restore")

Rows = tuple[list[bytes], list[bytes | None], list[int]]


def rows_of_topic(
    spec: StoreSpec, keys: Sequence[bytes | None], values: Sequence[bytes | None], timestamps: Sequence[int]
) -> Rows:
    """Keys, values and timestamps of the records that a table took in; a None value deletes.

    Left out are those without a key, and those that cannot be decoded: a task stops at such a record, so one below the
    committed offset was passed over.
    """
    rows = [row for row in zip(keys, values, timestamps, strict=True) if row[0] is not None]
    try:
        spec.value_serde.deserialize_many([value for _, value, _ in rows])
    except SerdeError:
        readable = [row for row in rows if _is_readable(spec, row[1])]
        log.warning("store %s: %d records cannot be decoded and are left out", spec.name, len(rows) - len(readable))
        rows = readable
    return [key for key, _, _ in rows if key is not None], [row[1] for row in rows], [row[2] for row in rows]


def _is_readable(spec: StoreSpec, value: bytes | None) -> bool:
    try:
        spec.value_serde.deserialize_many([value])
    except SerdeError:
        return False
    return True
