"""What the declaration of a join refuses."""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, DeclarationError, Stream, Table, TopicError
from framework.testing import TestDriver


def pair(left: int, right: str) -> str:
    return f"{left}{right}"


def pair_or_none(left: int, right: str | None) -> str:
    return f"{left}{right}"


def declare(
    verb: Callable[[Any, Any], Any],
    *,
    rights_key: Any = str,
    lefts_partitions: Any = None,
    rights_partitions: Any = None,
) -> App:
    app = App("app")
    lefts = app.topic("lefts", key=str, value=int, partitions=lefts_partitions)
    rights = app.topic("rights", key=rights_key, value=str, partitions=rights_partitions)
    app.topic("out", key=str, value=str)

    def join(lefts: Any, rights: Any) -> Any:
        verb(lefts, rights)

    join.__annotations__ = {"lefts": Stream[str, int], "rights": Stream[rights_key, str]}
    app.topology(lefts, rights)(join)
    return app


WRONG: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "negative within": (
        lambda a, b: a.join(b, value=pair, within="-5s"),
        r"""join\(within='-5s'\): expected a duration such as""",
    ),
    "within of three": (lambda a, b: a.join(b, value=pair, within=("1s", "1s", "1s")), r"join\(within="),
    "negative grace": (lambda a, b: a.join(b, value=pair, within="5s", grace="-1s"), r"join\(grace='-1s'\)"),
    "unknown rule for late": (
        lambda a, b: a.join(b, value=pair, within="5s", late="emit"),
        r'join\(\) takes late="join" or "drop", got \'emit\'',
    ),
    "late records of a join that drops none": (
        lambda a, b: a.join(b, value=pair, within="5s").late_left,
        r'late_left are the records that join\(late="drop"\) drops, but this join drops none',
    ),
    "no stream": (lambda a, b: a.join("rights", value=pair, within="5s"), r"join\(\) .*got str"),
    "function of one argument": (
        lambda a, b: a.join(b, value=abs, within="1s"),
        "but it takes another number",
    ),
    "function of other types": (
        lambda a, b: b.join(a, value=pair, within="5s"),
        "join\\(\\) calls pair with the stream's values, which are str, but its parameter is int",
    ),
    "right side that may be missing": (
        lambda a, b: a.left_join(b, value=pair, within="5s"),
        r"left_join\(\) calls pair .* which are str \| None, but its parameter is str",
    ),
    "left side that may be missing": (
        lambda a, b: a.outer_join(b, value=pair_or_none, within="5s"),
        r"outer_join\(\) calls pair_or_none .* which are int \| None, but its parameter is int",
    ),
}


@pytest.mark.parametrize(("verb", "message"), WRONG.values(), ids=list(WRONG))
def test_wrong_join_is_refused_with_file_and_line(verb: Callable[[Any, Any], Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=rf"test_joins\.py:\d+: .*{message}"):
        declare(verb)


def test_keys_of_different_types_are_refused() -> None:
    with pytest.raises(DeclarationError, match="the keys are int, but the stream it is joined with has str keys"):
        declare(lambda a, b: a.join(b, value=pair, within="5s"), rights_key=int)


def test_keyless_stream_is_refused() -> None:
    app = App("app")
    lines = app.topic("lines", value=str)

    with pytest.raises(DeclarationError, match=r"join\(\) needs a key"):

        @app.topology(lines)
        def join(lines: Stream[None, str]) -> None:
            lines.join(lines, value=lambda left, right: left + right, within="5s")


def test_topics_declared_with_different_partitions_are_refused() -> None:
    with pytest.raises(DeclarationError, match="the left side has 2 partitions and the right one 3"):
        declare(lambda a, b: a.join(b, value=pair, within="5s"), lefts_partitions=2, rights_partitions=3)


def test_topic_brought_to_the_number_of_the_other_is_accepted() -> None:
    app = declare(
        lambda a, b: a.repartition(partitions=3).join(b, value=pair, within="5s"),
        lefts_partitions=2, rights_partitions=3,
    )  # fmt: skip
    TestDriver(app).close()


def test_topics_that_exist_with_different_partitions_are_refused_at_start() -> None:
    app = declare(lambda a, b: a.join(b, value=pair, within="5s"), rights_partitions=3)
    with pytest.raises(
        TopicError, match=r'records of 2 topics meet in the step "join\.join-left".*lefts has 1, rights has 3'
    ):
        TestDriver(app)


def test_join_without_name_is_refused_where_names_are_required() -> None:
    app = App("app", require_names=True)
    given = app.topic("given", key=str, value=str)

    with pytest.raises(DeclarationError, match=r'join\(name="…"\)'):

        @app.topology(given)
        def join(given: Stream[str, str]) -> None:
            given.join(given, value=lambda left, right: left + right, within="5s")


def test_named_join_names_its_stores() -> None:
    app = declare(lambda a, b: a.outer_join(b, value=lambda left, right: left, within="5s", name="pairs"))
    names = [store.name for sub in app.plan().sub_topologies for store in sub.stores]
    assert names == ["pairs-left", "pairs-right", "pairs-unmatched"]


def test_table_is_no_right_side_without_to_stream() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=str)
    other = app.topic("other", key=str, value=str)

    with pytest.raises(
        DeclarationError, match=r"semi_join\(\) joins a stream with a stream, got Table: use .to_stream\(\) first"
    ):

        @app.topology(given, other)
        def join(given: Stream[str, str], other: Table[str, str]) -> None:
            given.semi_join(other, within="5s")  # type: ignore[arg-type]
