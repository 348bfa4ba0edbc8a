"""What a store takes over from one of an earlier version of the app: when, and which rows.

The worker reads them from the old changelog as it restores (`restore.py`), the test driver from its topics.
"""

from collections.abc import Container, Iterable

from framework.plan.plan import Migration, StorePlan
from framework.runtime.task import Task

Rows = dict[bytes, tuple[bytes, int]]
"""By key the encoded value and the timestamp (ms)."""


def pending(task: Task, store: StorePlan, topics: Container[str]) -> Migration | None:
    """The migration of a store that was never written, if there is state of before among the topics; else None."""
    migration = store.migration
    if migration is None or migration.changelog not in topics or task.state.position(store.name) >= 0:
        return None
    return migration


def keep_latest(rows: Rows, records: Iterable[tuple[bytes, bytes | None, int]]) -> None:
    """Bring rows up to date by records of a changelog, in their order: key, value, timestamp (ms)."""
    for key, value, timestamp_ms in records:
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value, timestamp_ms
