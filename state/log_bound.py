"""Up to where the changelog of a store that forgets by time is dead: what lies before that offset may be deleted.

Such a store drops what is too old in one range, without a deletion per key, so compaction alone keeps its changelog for
ever. But its entries go as whole segments of time, the oldest first. Of a segment all records lie at or behind the
offset at which the commit began that first wrote into it, or into a later one. So a few steps are remembered:

    (end of a segment in ms, offset)     "what is of a time before this end lies, if anywhere, at this offset or behind"

Both ascend: a commit adds a step only if it writes into a segment later than all before it. When the store's clock
passes a step's end, nothing in it is alive any more and the step goes. What is left of the log begins at the first
step, or at the store's clock, which has a record of its own, where that lies before it.

Invariant: every record that a restore needs lies at or behind `offset`: the last one of each key that the clock keeps,
and the clock's. A step that is too early costs room, never a record, so steps are thinned out when they are many.
"""

import json

from state.keys import time_of

_MOST_STEPS = 64


class LogBound:
    """The steps of one store; offsets are those of its changelog, 0: its beginning."""

    def __init__(self, segment_ms: int) -> None:
        self._segment_ms = segment_ms
        self._steps: list[tuple[int, int]] = []
        self._clock_offset = 0

    @property
    def offset(self) -> int:
        """No record before this offset is needed any more."""
        return min(self._clock_offset, self._steps[0][1]) if self._steps else self._clock_offset

    def wrote(self, newest_key: bytes, first_offset: int) -> None:
        """Entries were written, from this offset on; the last of their keys in order is given."""
        time_ms = time_of(newest_key)
        end_ms = time_ms - time_ms % self._segment_ms + self._segment_ms
        if not self._steps or end_ms > self._steps[-1][0]:
            self._steps.append((end_ms, first_offset))
            if len(self._steps) > _MOST_STEPS:
                pairs = zip(self._steps[::2], self._steps[1::2], strict=False)
                odd = self._steps[-1:] if len(self._steps) % 2 else []
                self._steps = [(later, earliest) for (_, earliest), (later, _) in pairs] + odd

    def moved_clock(self, first_offset: int, oldest_ms: int) -> None:
        """The clock was written, from this offset on; nothing of a time before `oldest_ms` is kept any more."""
        self._clock_offset = first_offset
        self._steps = [step for step in self._steps if step[0] > oldest_ms]

    def dump(self, position: int) -> bytes:
        """As bytes, valid for the store at this position of its changelog."""
        return json.dumps([position, self._clock_offset, self._steps]).encode()

    @classmethod
    def load(cls, stored: bytes | None, segment_ms: int, position: int, newest_key: bytes | None) -> "LogBound":
        """What `dump` gave, or the careful answer where it does not belong to what the store is now.

        Args:
            stored: None: there is nothing, as in a store that has begun to forget with this version of the program.
            segment_ms: as the store has it now; the steps keep the ends that they were made with.
            position: of the last changelog record that the store holds; -1 if none.
            newest_key: the last key of the store.
        """
        bound = cls(segment_ms)
        if position >= 0:
            known, clock_offset, steps = json.loads(stored) if stored is not None else (-1, 0, [])
            if known == position:
                bound._clock_offset = clock_offset
                bound._steps = [(end, offset) for end, offset in steps]
            elif newest_key is not None:
                bound.wrote(newest_key, 0)
        return bound
