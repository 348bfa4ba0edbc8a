"""What can go wrong with local state. None of it loses data: a changelog topic holds what was committed.

StateError
├── StateFolderInUse      another process holds the folder
├── StateFolderMismatch   the folder is of another app, or of another layout
├── StateUnreadable       RocksDB cannot open or read its files
├── StateWriteFailed      RocksDB cannot write, for instance on a full disk
└── ValueNotStorable      a value is not of its store's type
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


class ValueNotStorable(StateError):
    """A changed value does not fit its store's type; `__cause__` is the SerdeError."""

    def __init__(self, store: str) -> None:
        super().__init__(f"a value does not fit the store {store}")
        self.store = store
