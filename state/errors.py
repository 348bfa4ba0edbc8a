"""What can go wrong with local state. None of it loses data: a changelog topic holds what was committed.

StateError
├── StateFolderInUse      another process holds the folder
├── StateFolderMismatch   the folder is of another app, or of another layout
├── StateUnreadable       RocksDB cannot open or read its files
└── StateWriteFailed      RocksDB cannot write, for instance on a full disk
"""


class StateError(Exception):
    """The root of the tree."""


class StateFolderInUse(StateError):
    """A second process on the same state folder."""


class StateFolderMismatch(StateError):
    """A folder that was made by another app or another version."""


class StateUnreadable(StateError):
    """Damaged or inaccessible files."""


class StateWriteFailed(StateError):
    """A commit did not reach the disk; the changelog has it."""
