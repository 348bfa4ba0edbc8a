"""Local state of a task: stores over RocksDB, with the open transaction in memory."""

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
from state.spec import StoreSpec
from state.task_state import CLOCK_KEY, ChangelogBatch, TaskState

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
