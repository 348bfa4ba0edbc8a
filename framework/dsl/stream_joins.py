"""What a stream is joined with decides which join it is, and which settings it takes."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from framework.dsl.global_tables import GlobalTable
from framework.dsl.joins import VERBS, Within, join_streams
from framework.dsl.table_joins import join_stream_with_global_table, join_stream_with_table
from framework.dsl.tables import Table
from framework.durations import Duration
from framework.plan.joins import JoinKind, Late

if TYPE_CHECKING:
    from framework.dsl.streams import Stream


def join_stream(
    stream: "Stream[Any, Any]",
    other: object,
    kind: JoinKind,
    *,
    within: Within | None,
    grace: Duration | None,
    late: Late | None,
    key: Callable[[Any], Any] | None,
    function: Callable[[Any, Any], Any] | None,
    known: object | None,
    name: str | None,
) -> "Stream[Any, Any]":
    """Join a stream with a stream, a table or a global table.

    Raises:
        DeclarationError: it is none of them, a setting is missing or has no meaning, or as that join says.
    """
    scope, verb = stream._scope, VERBS[kind]
    settings = {"within": within, "grace": grace, "late": late, "key": key}

    def refuse(what: str, *names: str) -> None:
        if given := [setting for setting in names if settings[setting] is not None]:
            raise scope.error(f"{verb}() with {what} takes no {given[0]}=.")

    if kind != "semi" and isinstance(other, Table | GlobalTable):
        if isinstance(other, GlobalTable):
            refuse("a global table", "within", "grace", "late")
            return join_stream_with_global_table(stream, other, kind, key, function, known=known, name=name)
        refuse("a table", "within", "late", "key")
        return join_stream_with_table(stream, other, kind, function, grace=grace, known=known, name=name)
    refuse("a stream", "key")
    if within is None:
        raise scope.error(
            f'{verb}() of streams needs within=, such as within="5m": records of one key that far apart still meet.'
        )
    return join_streams(
        stream,
        other,  # type: ignore[arg-type]  # checked there
        kind,
        within=within,
        grace="0ms" if grace is None else grace,
        late="join" if late is None else late,
        function=function,
        known=known,
        name=name,
    )
