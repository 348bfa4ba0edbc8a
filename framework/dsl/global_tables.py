"""`GlobalTable[K, V]`: a table of which every worker holds all, for look-ups by any key."""

from typing import Generic, TypeVar

from framework.dsl.annotations import type_name
from framework.dsl.scope import Scope
from framework.plan.tables import GlobalTableNode

K = TypeVar("K")
V = TypeVar("V")


class GlobalTable(Generic[K, V]):
    """A topic read whole by every worker: `Stream.join(table, key=fn(value), value=fn)` looks rows up.

    It is loaded before the first record is processed and followed from then on; a look-up sees what has arrived. Its
    topic should be compacted, and small enough for every worker's disk.
    """

    __slots__ = ("_scope", "node")

    def __init__(self, scope: Scope, node: GlobalTableNode) -> None:
        self._scope, self.node = scope, node

    def __repr__(self) -> str:
        return f"GlobalTable[{type_name(self.node.key.known)}, {type_name(self.node.value.known)}] {self.node.name}"
