"""Python's errors about a verb that a collection does not have, or an argument that a verb does not take, in words."""

from types import TracebackType
from typing import Any

from framework.dsl.global_tables import GlobalTable
from framework.dsl.grouped import GroupedStream
from framework.dsl.grouped_tables import GroupedTable
from framework.dsl.origin import is_ours
from framework.dsl.streams import Stream
from framework.dsl.tables import Table
from framework.dsl.windowed import WindowedStream
from framework.plan.nodes import Origin

_COLLECTIONS = (Stream, Table, GlobalTable, GroupedStream, GroupedTable, WindowedStream)


def in_words(error: AttributeError | TypeError) -> tuple[str, Origin] | None:
    """What is wrong and where; None if the error arose in no line of the user's."""
    where = _line_of(error.__traceback__)
    if where is None:
        return None
    if isinstance(error, AttributeError):
        return (_unknown_verb(error.obj, str(error.name)), where) if isinstance(error.obj, _COLLECTIONS) else None
    return f"{error}.", where


def _line_of(traceback: TracebackType | None) -> Origin | None:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None or is_ours(traceback.tb_frame.f_code.co_filename):
        return None
    return Origin(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)


def _unknown_verb(given: Any, verb: str) -> str:
    kind = type(given).__name__
    return f"a {kind} has no {verb}(){_hint(given, verb)}."


def _hint(given: Any, verb: str) -> str:
    if verb == "late":
        return ": late records are those of a windowed aggregation, or late_left and late_right of a join"
    if verb in ("late_left", "late_right"):
        return ": late records by side are those of a join of two streams"
    if isinstance(given, GlobalTable):
        return ": streams look it up, as in stream.join(table, key=fn, value=fn)"
    if isinstance(given, Stream | Table) and hasattr(GroupedStream, verb):
        return f": group it first, as in .group_by(fn).{verb}(…)"
    if isinstance(given, Table) and hasattr(Stream, verb):
        return f": .to_stream().{verb}(…) works on its changes"
    if isinstance(given, Stream) and hasattr(Table, verb):
        return f": it becomes a table by .to_table().{verb}(…)"
    if isinstance(given, GroupedTable) and hasattr(GroupedStream, verb):
        return (
            ": rows leave their groups, and what left cannot be taken out of it; use aggregate(initial, add, subtract)"
        )
    if hasattr(Table, verb) or hasattr(Stream, verb):
        return ": aggregate it first, as in .count()"
    return ""
