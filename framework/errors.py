"""What can go wrong, as a tree by reaction: the class says what to do, the leaf what happened.

StreamError
├── DeclarationError      the app is wrong: raised before any connection
├── ProgramChanged        the app does not fit the state it left: raised at start
├── ConfigError           a setting is wrong: raised before any connection
├── TopicError            the broker's topics do not fit the app: raised at start
├── RecordError           one record: the task stops before it
├── TimeError             a step failed between records: as for a record
├── RetriableError        the same call may succeed: back off, retry
├── AbortableError        the open transaction is lost: drop the layer, restore, go on
└── FatalError            stop the process with its exit code
    ├── ClientLost        a Kafka client cannot go on, a new one can
    │   └── FencedError   another process has this identity: stop, commit nothing
    ├── LocalStateError   a store cannot be read or written: the changelog has what was committed
    └── BrokerUnreachable nobody answers at the bootstrap servers
"""

from typing import ClassVar

from framework.records import TaskId, TopicPartition


class StreamError(Exception):
    """The root of the tree. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1


class DeclarationError(StreamError):
    """The app's declaration is wrong; the message starts with the user's file and line."""

    exit_code = 2


class ProgramChanged(StreamError):
    """A step does not fit the state it left; the message names it and the ways out."""

    exit_code = 2


class ConfigError(StreamError):
    """A setting is wrong; the message names the setting, the value and what is allowed."""

    exit_code = 2


class TopicError(StreamError):
    """A topic is missing, or its partitions or settings do not fit the app."""

    exit_code = 3


class RecordError(StreamError):
    """One record cannot be processed; everything before it was kept, nothing of it was."""

    exit_code = 5

    def __init__(
        self, message: str, *, tp: TopicPartition, offset: int, task: TaskId | None = None, step: str | None = None
    ) -> None:
        super().__init__(message)
        self.tp, self.offset, self.task, self.step = tp, offset, task, step


class TimeError(StreamError):
    """A step failed at a time, such as a timer of the user's; everything before it was kept, nothing of it was."""

    exit_code = 5


class RetriableError(StreamError):
    """The same call may succeed later."""


class AbortableError(StreamError):
    """The open transaction cannot be committed; what it did is dropped and done again."""


class FatalError(StreamError):
    """The process cannot go on; nothing uncommitted survives it."""

    exit_code = 1


class ClientLost(FatalError):
    """A client of Kafka has failed for good; nothing of its open transaction will be seen."""


class FencedError(ClientLost):
    """Another process runs with the same instance name or transactional id; this one must stop."""

    exit_code = 4


class LocalStateError(FatalError):
    """Local state cannot be used; nothing is lost, and the message says what to do."""


class BrokerUnreachable(FatalError):
    """No broker answered at the bootstrap servers."""

    exit_code = 3
