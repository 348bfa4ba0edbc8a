"""Local state of a task: stores over RocksDB, with the open transaction in memory.

Cost: a declaration needs the specs of stores, not the stores. So the door loads a part when it is first asked for; that
takes a seventh off `import framework`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from state.spec import StoreSpec

if TYPE_CHECKING:
    from state.base import BytesBackend
    from state.buckets import BucketStore
    from state.errors import (
        StateError,
        StateFolderInUse,
        StateFolderMismatch,
        StateUnreadable,
        StateWriteFailed,
        ValueNotStorable,
    )
    from state.folder import StateFolder
    from state.global_state import GlobalState
    from state.keyvalue import KeyValueStore
    from state.memory import MemoryBackend
    from state.sessions import Session, SessionStore
    from state.task_state import CLOCK_KEY, ChangelogBatch, TaskState

_PARTS = {
    "KeyValueStore": "keyvalue",
    "BucketStore": "buckets",
    "TaskState": "task_state",
    "GlobalState": "global_state",
    "ChangelogBatch": "task_state",
    "CLOCK_KEY": "task_state",
    "BytesBackend": "base",
    "MemoryBackend": "memory",
    "StateFolder": "folder",
    "Session": "sessions",
    "SessionStore": "sessions",
}

__all__ = [
    "StoreSpec",
    "KeyValueStore",
    "BucketStore",
    "SessionStore",
    "Session",
    "TaskState",
    "GlobalState",
    "ChangelogBatch",
    "CLOCK_KEY",
    "BytesBackend",
    "MemoryBackend",
    "StateFolder",
    "StateError",
    "StateFolderInUse",
    "StateFolderMismatch",
    "StateUnreadable",
    "StateWriteFailed",
    "ValueNotStorable",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"state.{_PARTS.get(name, 'errors')}"), name)
