"""`Stream[K, V]`: an endless sequence of records. Each verb adds one node to the graph and returns what follows it.

A function of one argument gets the value; verbs ending in `_items` get key and value.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_origin, overload

from framework.dsl.annotations import element_of, is_assignable, is_plain, pair_of, type_name
from framework.dsl.origin import user_line
from framework.dsl.scope import Scope, stated
from framework.dsl.sinks import add_sink
from framework.dsl.topics import Topic
from framework.durations import Duration
from framework.plan.joins import JoinKind, Late
from framework.plan.nodes import (
    Changes,
    Node,
    RepartitionNode,
    StepNode,
)
from framework.plan.types import TypeRef

if TYPE_CHECKING:
    from framework.dsl.global_tables import GlobalTable
    from framework.dsl.grouped import GroupedStream
    from framework.dsl.joined import JoinedStream
    from framework.dsl.joins import Within
    from framework.dsl.processors import Processor
    from framework.dsl.tables import Table

K = TypeVar("K")
V = TypeVar("V")
K2 = TypeVar("K2")
V2 = TypeVar("V2")
V3 = TypeVar("V3")
R = TypeVar("R")


class Stream(Generic[K, V]):
    """A stream of records with keys of type K and values of type V.

    `is_rekeyed` marks a stream whose keys were changed since its records were last spread by key: grouping it needs a
    repartition topic first, and only then is one made, once.
    """

    __slots__ = ("_repartitioned", "_scope", "is_rekeyed", "node")

    def __init__(self, scope: Scope, node: Node, *, is_rekeyed: bool = False) -> None:
        self._scope, self.node, self.is_rekeyed = scope, node, is_rekeyed
        self._repartitioned: Stream[K, V] | None = None

    # Values

    def map(self, fn: Callable[[V], V2], *, type: type[V2] | None = None, name: str | None = None) -> "Stream[K, V2]":
        """Each value by `fn(value)`; key, timestamp and headers stay."""
        returns = self._scope.check_function("map", fn, ("values", self.node.value)).returns
        return self._step("map", fn, name, value=stated(type, returns))

    def flat_map(
        self, fn: Callable[[V], Iterable[V2]], *, type: type[V2] | None = None, name: str | None = None
    ) -> "Stream[K, V2]":
        """No, one or several values for each by `fn(value)`; each keeps key, timestamp and headers."""
        returns = self._scope.check_function("flat_map", fn, ("values", self.node.value)).returns
        self._check_iterable("flat_map", returns)
        return self._step("flat_map", fn, name, value=stated(type, element_of(returns)))

    def filter(self, fn: Callable[[V], object], *, name: str | None = None) -> "Stream[K, V]":
        """The records for which `fn(value)` is true."""
        self._scope.check_function("filter", fn, ("values", self.node.value))
        return self._step("filter", fn, name)

    def peek(self, fn: Callable[[V], object], *, name: str | None = None) -> "Stream[K, V]":
        """Call `fn(value)` for its effect, such as a log line; the records pass on.

        Effects outside the app are not exactly-once: after a failure they happen again.
        """
        self._scope.check_function("peek", fn, ("values", self.node.value))
        return self._step("peek", fn, name)

    def for_each(self, fn: Callable[[V], object], *, name: str | None = None) -> None:
        """Like `peek`, as the end of the stream."""
        self._scope.check_function("for_each", fn, ("values", self.node.value))
        self._step("for_each", fn, name)

    # Keys and values

    def map_items(
        self,
        fn: Callable[[K, V], tuple[K2, V2]],
        *,
        key: type[K2] | None = None,
        type: type[V2] | None = None,
        name: str | None = None,
    ) -> "Stream[K2, V2]":
        """Key and value by `fn(key, value)`, which returns both."""
        returns = self._check_items("map_items", fn)
        self._check_pair("map_items", returns)
        key_type, value_type = pair_of(returns)
        return self._step(
            "map_items", fn, name, key=stated(key, key_type), value=stated(type, value_type), rekeyed=True
        )

    def flat_map_items(
        self,
        fn: Callable[[K, V], Iterable[tuple[K2, V2]]],
        *,
        key: type[K2] | None = None,
        type: type[V2] | None = None,
        name: str | None = None,
    ) -> "Stream[K2, V2]":
        """No, one or several pairs of key and value for each record by `fn(key, value)`."""
        returns = self._check_items("flat_map_items", fn)
        self._check_iterable("flat_map_items", returns)
        self._check_pair("flat_map_items", element_of(returns))
        key_type, value_type = pair_of(element_of(returns))
        return self._step(
            "flat_map_items", fn, name, key=stated(key, key_type), value=stated(type, value_type), rekeyed=True
        )

    def filter_items(self, fn: Callable[[K, V], object], *, name: str | None = None) -> "Stream[K, V]":
        """The records for which `fn(key, value)` is true."""
        self._check_items("filter_items", fn)
        return self._step("filter_items", fn, name)

    def rekey(self, fn: Callable[[V], K2], *, key: type[K2] | None = None, name: str | None = None) -> "Stream[K2, V]":
        """A new key for each record by `fn(value)`; what groups or joins afterwards repartitions first."""
        returns = self._scope.check_function("rekey", fn, ("values", self.node.value)).returns
        return self._step("rekey", fn, name, key=stated(key, returns), rekeyed=True)

    # Times and headers

    def with_timestamps(self, fn: Callable[[V], int], *, name: str | None = None) -> "Stream[K, V]":
        """A new timestamp for each record by `fn(value)`, in ms since the epoch; a negative one is a RecordError.

        The order of the records stays, and so do their partitions.
        """
        self._check_returns("with_timestamps", fn, int, "timestamps are whole numbers of ms")
        return self._step("with_timestamps", fn, name)

    def with_headers(
        self, fn: Callable[[V], Mapping[str, str | bytes | None]], *, name: str | None = None
    ) -> "Stream[K, V]":
        """Headers by `fn(value)`, a mapping of names; they replace those of the same name and join the others."""
        self._check_returns("with_headers", fn, Mapping, "headers are a mapping of names")
        return self._step("with_headers", fn, name)

    # Once, and not too often

    def deduplicate(
        self,
        fn: Callable[[V], Any] | None = None,
        *,
        within: Duration,
        type: type[Any] | None = None,
        name: str | None = None,
    ) -> "Stream[K, V]":
        """The first record of each id; repeats within the time after it are dropped, and do not make it longer.

        Args:
            fn: `fn(value)` is the id; None: the record's key is.
            within: how long after the first one a record of its id is a repeat.
            type: the type of the id, where the function does not tell.
            name: of the step.
        Ids are remembered per partition: where records of one id may have different keys, `rekey` by the id first.
        A record older than stream time by that much or more is late: dropped and counted, as is one without an id.
        """
        from framework.dsl.limits import deduplicate_stream

        return deduplicate_stream(self, fn, within, type, name)

    def limit_rate(self, n: int, *, per: Duration, grace: Duration = "0ms", name: str | None = None) -> "Stream[K, V]":
        """At most the first n records of each key in each period of event time; the others are dropped and counted.

        Periods begin at the epoch, as tumbling windows do. Records without key share one limit per partition.

        Args:
            n: how many pass.
            per: the length of a period.
            grace: how long after its end a period still takes records; later ones are dropped and counted as late.
            name: of the step.
        """
        from framework.dsl.limits import limit_stream

        return limit_stream(self, n, per, grace, name)

    # Splitting and joining paths

    @overload
    def branch(
        self, *predicates: Callable[[V], object], otherwise: bool = False, name: str | None = None
    ) -> "tuple[Stream[K, V], ...]": ...

    @overload
    def branch(
        self,
        predicates: Mapping[str, Callable[[V], object]],
        /,
        *,
        otherwise: bool | str = False,
        name: str | None = None,
    ) -> "dict[str, Stream[K, V]]": ...

    def branch(self, *predicates: Any, otherwise: bool | str = False, name: str | None = None) -> Any:
        """One stream per predicate, and one for the rest with `otherwise=True`; the first true one takes the record.

        Predicates given by name, as a dict, give a dict of streams; the rest is called "otherwise", or as it says.
        """
        from framework.dsl.branches import branch_stream

        return branch_stream(self, predicates, otherwise, name)

    def merge(self, *others: "Stream[K, V]", name: str | None = None) -> "Stream[K, V]":
        """The records of all these streams; those of one source in its order, several sources in no fixed one."""
        if not others:
            raise self._scope.error("merge() takes at least one other stream.")
        for other in others:
            if not isinstance(other, Stream):
                raise self._scope.error(f"merge() takes streams, got {type(other).__name__}: use .to_stream() first.")
            for what, mine, its in (
                ("keys", self.node.key, other.node.key),
                ("values", self.node.value, other.node.value),
            ):
                mine.learn(its.known)
                self._scope.check_edge(what, its, mine.known, "the stream it is merged into")
        node = StepNode(
            name=self._scope.name("merge", name),
            verb="merge",
            origin=user_line(),
            parents=(self.node, *(other.node for other in others)),
            key=self.node.key,
            value=self.node.value,
        )
        self._scope.add(node)
        return Stream(self._scope, node, is_rekeyed=any(s.is_rekeyed for s in (self, *others)))

    # Joins

    @overload
    def join(
        self,
        other: "Stream[K, V2]",
        *,
        value: Callable[[V, V2], V3],
        within: "Within",
        grace: Duration | None = None,
        late: Late | None = None,
        type: type[V3] | None = None,
        name: str | None = None,
    ) -> "JoinedStream[K, V3, V, V2]": ...

    @overload
    def join(
        self,
        other: "Table[K, V2]",
        *,
        value: Callable[[V, V2], V3],
        grace: Duration | None = None,
        type: type[V3] | None = None,
        name: str | None = None,
    ) -> "Stream[K, V3]": ...

    @overload
    def join(
        self,
        other: "GlobalTable[K2, V2]",
        *,
        key: Callable[[V], K2 | None],
        value: Callable[[V, V2], V3],
        type: type[V3] | None = None,
        name: str | None = None,
    ) -> "Stream[K, V3]": ...

    def join(
        self,
        other: Any,
        *,
        value: Callable[[Any, Any], Any],
        within: "Within | None" = None,
        grace: Duration | None = None,
        late: Late | None = None,
        key: Callable[[V], Any] | None = None,
        type: type[Any] | None = None,
        name: str | None = None,
    ) -> "Stream[K, Any]":
        """`value(left, right)` for each record and what it meets: a record of another stream, or a row of a table.

        Args:
            other: a stream: pairs of records of one key whose times are close enough, with the greater of both times.
                A table: the row of the record's key, as of the record's place in the order of the input; with a
                history, as of its timestamp. A global table: the row that `key` names.
            value: makes the result.
            within: with a stream: the right record's time is in [left - within, left + within]; or a pair (before,
                after).
            grace: with a stream: how long after the end of its window a record out of order may still come. With a
                table that has a history: how long records wait for changes of the table that are late.
            late: with a stream: a record whose window is closed meets what is still kept ("join", the default), or is
                dropped and counted ("drop"), and comes out of `late_left` or `late_right` of the result.
            key: with a global table: `key(value)` is looked up.
            type: the type of the result, where the function does not tell.
            name: of the step.
        A record without key or value is skipped and counted; only records of streams give results.
        """
        return self._joined(other, "inner", within, grace, late, key, name, value, type)

    @overload
    def left_join(
        self,
        other: "Stream[K, V2]",
        *,
        value: Callable[[V, V2 | None], V3],
        within: "Within",
        grace: Duration | None = None,
        late: Late | None = None,
        type: type[V3] | None = None,
        name: str | None = None,
    ) -> "JoinedStream[K, V3, V, V2]": ...

    @overload
    def left_join(
        self,
        other: "Table[K, V2]",
        *,
        value: Callable[[V, V2 | None], V3],
        grace: Duration | None = None,
        type: type[V3] | None = None,
        name: str | None = None,
    ) -> "Stream[K, V3]": ...

    @overload
    def left_join(
        self,
        other: "GlobalTable[K2, V2]",
        *,
        key: Callable[[V], K2 | None],
        value: Callable[[V, V2 | None], V3],
        type: type[V3] | None = None,
        name: str | None = None,
    ) -> "Stream[K, V3]": ...

    def left_join(
        self,
        other: Any,
        *,
        value: Callable[[Any, Any], Any],
        within: "Within | None" = None,
        grace: Duration | None = None,
        late: Late | None = None,
        key: Callable[[V], Any] | None = None,
        type: type[Any] | None = None,
        name: str | None = None,
    ) -> "Stream[K, Any]":
        """Like `join`; a left record that meets nothing gives `value(left, None)`, also one without a key.

        With a stream it does so once its window is closed, or at once if it has no key.
        """
        return self._joined(other, "left", within, grace, late, key, name, value, type)

    def outer_join(
        self,
        other: "Stream[K, V2]",
        *,
        value: Callable[[V | None, V2 | None], V3],
        within: "Within | None" = None,
        grace: Duration | None = None,
        late: Late | None = None,
        type: type[V3] | None = None,
        name: str | None = None,
    ) -> "JoinedStream[K, V3, V, V2]":
        """Like `left_join`, on both sides: an unmatched right record gives `value(None, right)`. Only with streams."""
        joined = self._joined(other, "outer", within, grace, late, None, name, value, type)
        return cast("JoinedStream[K, V3, V, V2]", joined)

    def semi_join(
        self,
        other: "Stream[K, V2]",
        *,
        within: "Within",
        grace: Duration | None = None,
        late: Late | None = None,
        name: str | None = None,
    ) -> "JoinedStream[K, V, V, V2]":
        """The left records that some right one matches, each once, with the greater time of it and its first match."""
        joined = self._joined(other, "semi", within, grace, late, None, name, None, None)
        return cast("JoinedStream[K, V, V, V2]", joined)

    def _joined(
        self,
        other: Any,
        kind: JoinKind,
        within: "Within | None",
        grace: Duration | None,
        late: Late | None,
        key: Callable[[V], Any] | None,
        name: str | None,
        function: Callable[[Any, Any], Any] | None,
        known: object | None,
    ) -> "Stream[Any, Any]":
        from framework.dsl.stream_joins import join_stream

        return join_stream(
            self,
            other,
            kind,
            within=within,
            grace=grace,
            late=late,
            key=key,
            function=function,
            known=known,
            name=name,
        )

    # Grouping, tables, topics

    def group_by(
        self, fn: Callable[[V], K2], *, key: type[K2] | None = None, name: str | None = None
    ) -> "GroupedStream[K2, V]":
        """Group by a new key, `fn(value)`; the records travel to its partition by a repartition topic."""
        from framework.dsl.grouped import GroupedStream

        returns = self._scope.check_function("group_by", fn, ("values", self.node.value)).returns
        name = self._scope.name("group_by", name, stateful=True)
        rekeyed: Stream[K2, V] = self._named("group_by", fn, name, key=stated(key, returns), rekeyed=True)
        return GroupedStream(self._scope, rekeyed._spread(name))

    def group_by_key(self) -> "GroupedStream[K, V]":
        """Group by the key that the records have."""
        from framework.dsl.grouped import GroupedStream

        return GroupedStream(self._scope, self._keyed("group_by_key"))

    def repartition(self, *, partitions: int | None = None, name: str | None = None) -> "Stream[K, V]":
        """Send each record to the partition of its key, by an internal topic of so many partitions."""
        if partitions is not None and (not isinstance(partitions, int) or partitions < 1):
            raise self._scope.error(f"repartition() takes partitions >= 1, got {partitions!r}.")
        self._require_key("repartition")
        return self._repartition(self._scope.name("repartition", name, stateful=True), partitions)

    def to_table(
        self, *, history: Duration | None = None, changes: Changes = "latest", name: str | None = None
    ) -> "Table[K, V]":
        """The latest value per key; null deletes the key.

        Args:
            history: None: the record that comes last wins. A duration: the one with the greatest timestamp wins, and
                what a key was before is remembered for so long; streams that join the table look it up as of their
                records' timestamps, and what is older than that is dropped as late.
            changes: `"all"` passes every change on, `"latest"` the last one of each key and commit.
            name: of the step, and of its store.
        """
        from framework.dsl.tables import table_of

        return table_of(self, history, changes, name)

    def to(
        self,
        topic: Topic[K, V] | Callable[[V], Topic[K, V]],
        *,
        topics: Iterable[Topic[K, V]] = (),
        name: str | None = None,
    ) -> None:
        """Write the records to a topic, or each to the one of `topics` that `topic(value)` chooses.

        A function must not choose a topic that is not among `topics`: that is a RecordError.
        """
        from framework.dsl.branches import route_stream

        chosen = tuple(topics)
        if chosen or (callable(topic) and not isinstance(topic, Topic)):
            route_stream(self, topic, chosen, name)
        else:
            add_sink(self._scope, self.node, topic, name)

    def process(self, processor: "type[Processor[K, V, R]]", *, name: str | None = None) -> "Stream[K, R]":
        """Call a class derived from `Processor` with each record; its state belongs to the record's key.

        Records without key are dropped and counted. Results keep key, timestamp and headers.
        """
        from framework.dsl.processing import add_processor

        name = self._scope.name("process", name, stateful=True)
        return Stream(self._scope, add_processor(self._scope, processor, self._keyed("process").node, name))

    # How it is done

    def _check_returns(self, verb: str, fn: Callable[[V], object], wanted: object, rule: str) -> None:
        returns = self._scope.check_function(verb, fn, ("values", self.node.value)).returns
        if not is_assignable(returns, wanted):
            raise self._scope.error(f"{verb}() takes a function whose {rule}, but it returns {type_name(returns)}.")

    def _check_items(self, verb: str, fn: Callable[[K, V], object]) -> object:
        return self._scope.check_function(verb, fn, ("keys", self.node.key), ("values", self.node.value)).returns

    def _check_iterable(self, verb: str, returns: object) -> None:
        if is_plain(returns) and not hasattr(get_origin(returns) or returns, "__iter__"):
            raise self._scope.error(
                f"{verb}() takes a function that returns several, but it returns {type_name(returns)}."
            )

    def _check_pair(self, verb: str, returns: object) -> None:
        if is_plain(returns) and not is_assignable(returns, tuple):
            raise self._scope.error(
                f"{verb}() makes pairs of key and value, but its function gives {type_name(returns)}."
            )

    def _step(
        self,
        verb: str,
        function: Callable[..., Any],
        name: str | None,
        *,
        key: TypeRef | None = None,
        value: TypeRef | None = None,
        rekeyed: bool = False,
    ) -> "Stream[Any, Any]":
        return self._named(verb, function, self._scope.name(verb, name), key=key, value=value, rekeyed=rekeyed)

    def _named(
        self,
        verb: str,
        function: Callable[..., Any],
        name: str,
        *,
        key: TypeRef | None = None,
        value: TypeRef | None = None,
        rekeyed: bool = False,
    ) -> "Stream[Any, Any]":
        node = StepNode(
            name=name,
            verb=verb,
            origin=user_line(),
            parents=(self.node,),
            key=key or self.node.key,
            value=value or self.node.value,
            function=function,
        )
        self._scope.add(node)
        return Stream(self._scope, node, is_rekeyed=rekeyed or self.is_rekeyed)

    def spread_by_key(self, verb: str) -> "Stream[K, V]":
        """This stream, with its records on the partition of their key. Raises DeclarationError if they have none."""
        return self._keyed(verb)

    def _keyed(self, verb: str) -> "Stream[K, V]":
        """This stream, repartitioned if its keys were changed."""
        self._require_key(verb)
        return self._spread(self.node.name) if self.is_rekeyed else self

    def _require_key(self, verb: str) -> None:
        if self.node.key.known in (None, type(None)):
            raise self._scope.error(
                f"{verb}() needs a key, but this stream has none: group_by(fn) or rekey(fn) gives it one, "
                "or declare the topic with key=."
            )

    def _spread(self, name: str) -> "Stream[K, V]":
        if self._repartitioned is None:
            self._repartitioned = self.spread_as(name)
        return self._repartitioned

    def spread_as(self, name: str) -> "Stream[K, V]":
        """This stream behind a repartition topic of this name that a verb needs."""
        return self._repartition(name, None, is_implied=True)

    def _repartition(self, name: str, partitions: int | None, *, is_implied: bool = False) -> "Stream[K, V]":
        node = RepartitionNode(
            name=name,
            verb="repartition",
            origin=user_line(),
            parents=(self.node,),
            key=self.node.key,
            value=self.node.value,
            partitions=partitions,
            is_implied=is_implied,
        )
        self._scope.add(node)
        return Stream(self._scope, node)

    def __repr__(self) -> str:
        return f"Stream[{type_name(self.node.key.known)}, {type_name(self.node.value.known)}] after {self.node.name}"
