"""The life of a store's change, as a machine that laws of stores build on: what goes back to what."""

from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, rule

from state import TaskState


class LayeredStore(RuleBasedStateMachine):
    """A store "s" and what it must hold: `now`, and what reject, reject_unsettled and abort go back to.

    Those are `accepted`, `settled` and `committed`; they are replaced, never changed.
    """

    state: TaskState
    now: dict[Any, Any]
    accepted: dict[Any, Any]
    settled: dict[Any, Any]
    committed: dict[Any, Any]

    def begin(self) -> None:
        """Nothing is in it yet."""
        self.now, self.accepted, self.settled, self.committed = {}, {}, {}, {}

    @property
    def store(self) -> Any:
        return self.state.stores["s"]

    @rule()
    def accept(self) -> None:
        self.state.accept()
        self.accepted = self.now

    @rule()
    def reject(self) -> None:
        self.state.reject()
        self.now = self.accepted

    @rule()
    def reject_unsettled(self) -> None:
        self.state.reject_unsettled(self.state.stream_time_ms)
        self.now = self.accepted = self.settled

    @rule()
    def abort(self) -> None:
        self.state.abort()
        self.now = self.accepted = self.settled = self.committed

    def settle_all(self) -> None:
        """What was shown downstream is now what is there."""
        self.state.settle()
        self.settled = self.accepted = self.now
