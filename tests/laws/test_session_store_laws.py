"""Laws of the stores of sessions: whatever happens to a transaction, a key has the sessions that were put down.

What is written to the changelog leads to them, without what came and went; what was shown downstream is known.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from serde import for_type
from state import MemoryBackend, Session, StoreSpec, TaskState
from state.windowed_keys import SessionKeySerde, session_bounds, session_key
from tests.laws.layers import LayeredStore

KEYS = [b"a", b"ab"]
TAKEN_OVER = (1, 20)

keys = st.sampled_from(KEYS)
times = st.integers(0, 1)
Rows = dict[bytes, tuple[str, int]]  # place → state, until


class SessionStores(LayeredStore):
    """See `layers.py`."""

    now: Rows

    @initialize(cache_entries=st.sampled_from([0, 2, 4, 100]))
    def open(self, cache_entries: int) -> None:
        self.backend = MemoryBackend(["s"])
        self.cache_entries = cache_entries
        self.begin()
        self.logged: dict[bytes, bytes] = {}
        self.log_size = 0
        self.start()

    def start(self) -> None:
        spec = StoreSpec("s", SessionKeySerde(for_type(bytes)), for_type(str), has_clock=True, holds_sessions=True)
        self.state = TaskState([spec], self.backend, self.cache_entries)

    @rule(key=keys, start=times, length=times, state=st.text("xyz", min_size=1, max_size=2))
    def session_begins(self, key: bytes, start: int, length: int, state: str) -> None:
        self.store.clock_ms = max(self.store.clock_ms, start)
        place = session_key(key, start, start + length)
        if place not in self.now:
            session = Session(key, start, start + length, 9, state)
            self.store.of_keys([key])[key].append(session)
            self.store.keep([session])
            self.now = {**self.now, place: (state, 9)}

    @rule(key=keys, end=times, state=st.text("xyz", min_size=1, max_size=2))
    def first_session_ends_elsewhere(self, key: bytes, end: int, state: str) -> None:
        known = self.store.of_keys([key])[key]
        if known and session_key(key, known[0].start, known[0].start + end) not in self.now:
            first = known[0]
            before = session_key(key, first.start, first.end)
            first.end, first.state = first.start + end, state
            self.store.keep([first])
            rest = {place: row for place, row in self.now.items() if place != before}
            self.now = {**rest, session_key(key, first.start, first.end): (state, 9)}

    @rule(key=keys)
    def sessions_of_a_key_leave(self, key: bytes) -> None:
        known = self.store.of_keys([key])[key]
        gone = list(known)
        known.clear()
        for session in gone:
            session.is_gone = True
        self.store.keep(gone)
        gone_places = {session_key(key, s.start, s.end) for s in gone}
        self.now = {place: row for place, row in self.now.items() if place not in gone_places}

    @rule(key=keys)
    def half_changed_chunk_is_rejected(self, key: bytes) -> None:
        known = self.store.of_keys([key])[key]
        for session in known:
            session.end += 1
        known.append(Session(key, 0, 0, 0, "never"))
        self.reject()

    @rule(key=keys)
    def session_is_taken_over(self, key: bytes) -> None:
        """What another version of the program held is put as it is, and was known downstream."""
        place = session_key(key, *TAKEN_OVER)
        self.settle()
        self.store.put_many({place: ("raw", 9)})
        self.now = {**self.now, place: ("raw", 9)}
        self.settle_all()

    @rule(wanted=st.lists(keys, unique=True))
    def look_up(self, wanted: list[bytes]) -> None:
        for key, sessions in self.store.of_keys(wanted).items():
            found = {session_key(key, s.start, s.end): (s.state, s.until) for s in sessions}
            assert found == {place: row for place, row in self.now.items() if place[12:-16] == key}

    @rule()
    def settle(self) -> None:
        changed = self.store.changed()
        gone = [place for place, entry in changed.items() if entry[0] is None]
        assert self.store.were_shown(gone) == [place in self.settled for place in gone]
        self.settle_all()

    @rule()
    def commit(self) -> None:
        self.settle()
        batch = self.state.changelog().get("s")
        for key, value in zip(batch.keys, batch.values, strict=True) if batch else ():
            if value is not None:
                self.logged[key] = value
            elif session_bounds(key) == TAKEN_OVER:
                self.logged.pop(key, None)
            else:
                del self.logged[key]  # what came and went is not written
        self.logged.pop(b"", None)  # the clock
        self.log_size += len(batch.keys) if batch else 0
        self.state.commit({"s": self.log_size - 1})
        self.committed = self.now
        assert set(self.logged) == set(self.now)

    @rule()
    def reopen(self) -> None:
        """A crash with the disk kept: what was committed is there, and nothing else."""
        self.start()
        self.now = self.accepted = self.settled = self.committed

    @invariant()
    def scan_gives_all_sessions(self) -> None:
        assert dict(self.store.scan()) == self.now


TestSessionStores = SessionStores.TestCase
TestSessionStores.settings = settings(max_examples=2 * settings.default.max_examples, stateful_step_count=40)


def test_place_that_a_committed_session_left_and_another_took_and_left_is_deleted() -> None:
    machine = SessionStores()
    machine.open(cache_entries=100)
    machine.session_begins(b"a", 0, 1, "x")
    machine.commit()
    machine.sessions_of_a_key_leave(b"a")
    machine.accept()
    machine.session_begins(b"a", 0, 1, "y")
    machine.accept()
    machine.sessions_of_a_key_leave(b"a")
    machine.commit()
    assert machine.logged == {}
    machine.reopen()
    machine.look_up([b"a"])
