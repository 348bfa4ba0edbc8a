"""Joins of tables by a foreign key: four steps over two sub-topologies and back.

    left table ──▶ subscribe ──▶ [subscription topic] ──▶ subscriptions ◀── right table
                                                              │
    left table ──────────────▶ join ◀── [response topic] ◀────┘

A left row subscribes to the right row that its foreign key names; the store of subscriptions, which lies with the right
table, knows who asked. Each answer travels back to the partition of the left row and is joined there, if the left row
is still the one that asked.
"""

from dataclasses import dataclass
from typing import ClassVar

from framework.plan.nodes import Changes, Function, Node
from framework.plan.tables import JoinKind, TableRef
from framework.plan.topics import serde_for
from framework.plan.types import TypeRef
from serde import for_type
from serde.parts import PartsSerde, SubscriberSerde, Subscription
from state import StoreSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class SubscribeNode(Node):
    """Turns changes of left rows into subscriptions, by their foreign keys `foreign_key(value)`.

    `row` is the type of the left table's values; those of this step are `Subscription`s.
    """

    needs_olds: ClassVar[bool] = True

    kind: JoinKind
    foreign_key: Function
    row: TypeRef


@dataclass(frozen=True, eq=False, kw_only=True)
class SubscriptionsNode(Node):
    """Keeps who asked for what in the store `name`, and answers: to new subscriptions and when a right row changes.

    Its parents are the subscription topic and the right table; its values are `Response`s.
    """

    right: TableRef

    def store_specs(self) -> tuple[StoreSpec, ...]:
        foreign_key, key = serde_for(self.parents[0].key.known), serde_for(self.key.known)
        subscription = PartsSerde(Subscription, (key, for_type(bytes), for_type(str)))
        return (StoreSpec(self.name, SubscriberSerde(foreign_key, key), subscription, is_ordered=True),)


@dataclass(frozen=True, eq=False, kw_only=True)
class ForeignJoinNode(Node):
    """Joins the answers with the left rows that asked; the result is kept in the store `name`.

    Its parents are the response topic and the base of the left table, so that both run in one task.
    """

    kind: JoinKind
    left: TableRef
    row: TypeRef
    function: Function
    changes: Changes = "latest"

    def store_specs(self) -> tuple[StoreSpec, ...]:
        return (self._key_value_spec(),)
