"""Names of steps, stores, internal topics and identities. A step's name is the root of all others."""

import re
from collections import Counter
from collections.abc import Iterable

_LEGAL = re.compile(r"[A-Za-z0-9._-]{1,200}")


def is_legal(name: str) -> bool:
    """True if the name may be part of a topic's name and of a folder's."""
    return _LEGAL.fullmatch(name) is not None and name not in {".", ".."}


class StepNames:
    """Hands out names within one topology: `count_words.count`, the second count `count_words.count-2`.

    The counter is kept per verb, so a name does not move when a step with another verb is added.
    """

    def __init__(self, topology: str, taken: Iterable[str] = ()) -> None:
        self._topology, self._counts, self._taken = topology, Counter[str](), set(taken)

    def next(self, verb: str) -> str:
        while True:
            self._counts[verb] += 1
            n = self._counts[verb]
            name = f"{self._topology}.{verb}" + (f"-{n}" if n > 1 else "")
            if name not in self._taken:
                return name


def changelog_topic(app_id: str, store: str) -> str:
    return f"{app_id}-{store}-changelog"


def repartition_topic(app_id: str, step: str) -> str:
    return f"{app_id}-{step}-repartition"


def plan_topic(app_id: str) -> str:
    return f"{app_id}-plan"


def transactional_id(app_id: str, instance: str) -> str:
    return f"{app_id}-{instance}"


def transactional_ids(app_id: str, instance: str) -> list[str]:
    """Of a worker's producers; no instance is named like the second, since a name has no colon."""
    first = transactional_id(app_id, instance)
    return [first, f"{first}:2"]
