"""Records that keep coming while workers are killed and moved."""

import random
import threading
from collections import Counter
from types import TracebackType
from typing import Any, Self

from tests.faults.inputs import send

KEYS = 40
_AT_ONCE = 20
_PAUSE_S = 0.05


class Feed:
    """Writes to the three inputs of `chaos_app.py` until left; what must come out, by key."""

    def __init__(self, kafka: Any, app_id: str, seed: int) -> None:
        self._kafka, self._app_id, self._dice = kafka, app_id, random.Random(seed)
        self._stop_asked = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.merged: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()

    def _run(self) -> None:
        while not self._stop_asked.wait(_PAUSE_S):
            for topic, sent in (("left", self.merged), ("right", self.merged), ("words", self.counted)):
                words = [f"k{self._dice.randrange(KEYS)}" for _ in range(_AT_ONCE)]
                send(self._kafka, self._app_id, topic, words)
                sent.update(words)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_asked.set()
        self._thread.join()
