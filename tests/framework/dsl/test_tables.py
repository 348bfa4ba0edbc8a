"""What declarations with tables refuse, and how their steps are named."""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, DeclarationError, GlobalTable, Stream, Table, tumbling
from framework.testing import TestDriver

Verb = Callable[[Any, Any], Any]


def pair(left: int, right: str) -> str:
    return f"{left}{right}"


def add(total: int, value: int) -> int:
    return total + value


def declare(verb: Verb, left: Any = Table[str, int], right: Any = Table[str, str], **options: Any) -> App:
    app = App("app", require_names=options.pop("require_names", False))
    key = right.__args__[0]
    lefts = app.topic("lefts", key=str, value=int, partitions=options.get("lefts"), history=options.get("history"))
    rights = app.topic("rights", key=key, value=str, partitions=options.get("rights"))

    def run(lefts: Any, rights: Any) -> Any:
        verb(lefts, rights)

    run.__annotations__ = {"lefts": left, "rights": right}
    app.topology(lefts, rights)(run)
    return app


OF_TABLES: dict[str, tuple[Verb, str]] = {
    "map of two arguments": (lambda a, b: a.map(pair), r"map\(\) calls pair with 1 argument"),
    "map of other values": (lambda a, b: b.map(lambda v: v).filter(pair), r"filter\(\) calls pair with 1 argument"),
    "join with a stream": (
        lambda a, b: a.join(b.to_stream(), value=pair),
        r"join\(\) joins a table with a table, got Stream: a stream becomes one by \.to_table\(\)",
    ),
    "join with nothing": (lambda a, b: a.left_join(None, value=pair), r"left_join\(\) joins a table .* got NoneType"),
    "function of other types": (
        lambda a, b: b.join(a, value=pair),
        r"join\(\) calls pair with the stream's values, which are str, but its parameter is int",
    ),
    "side that may be missing": (lambda a, b: a.left_join(b, value=pair), r"left_join\(\) calls pair .* str \| None"),
    "unknown changes": (lambda a, b: a.join(b, value=pair, changes="some"), r'changes="latest" or "all", got'),
    "foreign key of another type": (
        lambda a, b: a.join(b, on=abs_of, value=pair),
        r"join\(on=…\) gives keys of type int, but the table .* keys of type str",
    ),
    "foreign key of two arguments": (lambda a, b: a.join(b, on=pair, value=pair), r"join\(\) calls pair with 1 arg"),
    "group by two arguments": (lambda a, b: a.group_by(pair), r"group_by\(\) calls pair with 1 argument"),
    "minimum": (lambda a, b: a.group_by(str).min(), r"min\(\) of a grouped table cannot be: rows leave"),
    "maximum": (lambda a, b: a.group_by(str).max(), r"max\(\) of a grouped table cannot be: rows leave"),
    "window": (lambda a, b: a.group_by(str).window(tumbling("1s")), r"window\(\) of a grouped table cannot be"),
    "reduce to another type": (
        lambda a, b: a.group_by(str).reduce(text_of, text_of),
        r"reduce\(\) keeps a value of the rows, which is int, but its function returns str",
    ),
    "aggregate to another type": (
        lambda a, b: a.group_by(str).aggregate(0, add, text_of),
        r"aggregate\(\) starts from int, but its function returns str",
    ),
    "aggregate without subtract": (lambda a, b: a.group_by(str).count(changes="none"), r'count\(\) takes changes='),
    "suppress without limit": (lambda a, b: a.suppress(), r"suppress\(\) without until= and without a limit"),
    "suppress negative": (lambda a, b: a.suppress(until="-1s"), r"suppress\(until='-1s'\): expected a duration"),
    "suppress nothing": (lambda a, b: a.suppress(max_records=0), r"takes max_records >= 1, got 0"),
    "suppress no bytes": (lambda a, b: a.suppress(max_bytes=-1), r"takes max_bytes >= 1, got -1"),
    "suppress and drop": (
        lambda a, b: a.suppress(until="1s", max_records=1, when_full="drop"),
        r'takes when_full="emit" or "stop", got \'drop\'',
    ),
    "suppress until no window closes": (
        lambda a, b: a.suppress(until="window closes"),
        r'suppress\(until="window closes"\) follows a windowed aggregation, but the keys of this table are str',
    ),
    "history of no time": (
        lambda a, b: a.to_stream().to_table(history="-1s"),
        r"to_table\(history='-1s'\): expected a duration",
    ),
}  # fmt: skip


def abs_of(value: int) -> int:
    return abs(value)


def text_of(total: int, value: int) -> str:
    return f"{total}{value}"


@pytest.mark.parametrize(("verb", "message"), OF_TABLES.values(), ids=OF_TABLES.keys())
def test_wrong_step_of_a_table_is_refused_with_file_and_line(verb: Verb, message: str) -> None:
    with pytest.raises(DeclarationError, match=rf"^tests/framework/dsl/test_tables\.py:\d+: .*{message}"):
        declare(verb)


OF_STREAMS: dict[str, tuple[Verb, Any, str]] = {
    "outer join with a table": (
        lambda a, b: a.outer_join(b, value=pair), Table, r"outer_join\(\) of a stream with a table cannot be",
    ),
    "within with a table": (
        lambda a, b: a.join(b, value=pair, within="1s"), Table, r"join\(\) with a table takes no within=",
    ),
    "key with a table": (
        lambda a, b: a.join(b, value=pair, key=str), Table, r"join\(\) with a table takes no key=",
    ),
    "grace without history": (
        lambda a, b: a.join(b, value=pair, grace="1s"), Table, r"join\(grace=…\) .* so the table must remember",
    ),
    "global table without key": (
        lambda a, b: a.join(b, value=pair), GlobalTable, r"join\(\) with a global table needs key=fn\(value\)",
    ),
    "global table by a key of another type": (
        lambda a, b: a.join(b, value=pair, key=abs_of), GlobalTable, r"gives keys of type int, but .* keys of type str",
    ),
    "outer join with a global table": (
        lambda a, b: a.outer_join(b, value=pair), GlobalTable, r"outer_join\(\) with a global table cannot be",
    ),
    "grace with a global table": (
        lambda a, b: a.join(b, value=pair, key=str, grace="1s"), GlobalTable, r"with a global table takes no grace=",
    ),
    "within missing": (lambda a, b: a.join(b, value=pair), Stream, r"join\(\) of streams needs within="),
    "key with a stream": (
        lambda a, b: a.join(b, value=pair, within="1s", key=str), Stream, r"join\(\) with a stream takes no key=",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("verb", "right", "message"), OF_STREAMS.values(), ids=OF_STREAMS.keys())
def test_wrong_join_of_a_stream_is_refused_with_file_and_line(verb: Verb, right: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=rf"^tests/framework/dsl/test_tables\.py:\d+: .*{message}"):
        declare(verb, Stream[str, int], right[str, str])


def test_tables_with_keys_of_different_types_are_refused() -> None:
    with pytest.raises(DeclarationError, match="the keys are int, but the table it is joined with has str keys"):
        declare(lambda a, b: a.join(b, value=pair), right=Table[int, str])


def test_topics_declared_with_different_partitions_are_refused() -> None:
    with pytest.raises(DeclarationError, match="the left side has 2 partitions and the right one 3"):
        declare(lambda a, b: a.join(b, value=pair), lefts=2, rights=3)


def test_foreign_key_join_takes_topics_with_different_partitions() -> None:
    app = declare(lambda a, b: a.join(b, on=str, value=pair), lefts=2, rights=3)
    with TestDriver(app):
        pass


def test_suppression_of_a_table_with_history_is_refused() -> None:
    with pytest.raises(DeclarationError, match="it cannot follow a table with history"):
        declare(lambda a, b: a.suppress(until="1s"), history="1h")


def test_keyless_topic_is_no_global_table() -> None:
    app = App("app")
    names = app.topic("names", value=str)
    with pytest.raises(DeclarationError, match="has no key, so it cannot be read as a GlobalTable"):

        @app.topology(names)
        def look(names: GlobalTable[None, str]) -> None: ...


def test_final_results_that_leave_early_are_refused() -> None:
    app = App("app")
    clicks = app.topic("clicks", key=str, value=int)
    with pytest.raises(DeclarationError, match="nothing may leave early"):

        @app.topology(clicks)
        def count(clicks: Stream[str, int]) -> None:
            counts = clicks.group_by_key().window(tumbling("1s")).count()
            counts.suppress(until="window closes", max_records=1)


@pytest.mark.parametrize(
    "verb",
    [
        lambda a, b: a.join(b, value=pair),
        lambda a, b: a.join(b, on=str, value=pair),
        lambda a, b: a.group_by(str),
        lambda a, b: a.group_by(str, name="g").count(),
        lambda a, b: a.suppress(until="1s"),
    ],
    ids=["join", "foreign key", "group_by", "count", "suppress"],
)
def test_step_with_a_store_or_topic_and_no_name_is_refused_where_names_are_required(verb: Verb) -> None:
    with pytest.raises(DeclarationError, match="this app requires names"):
        declare(verb, require_names=True)


def test_named_foreign_key_join_names_its_stores_and_topics() -> None:
    plan = declare(lambda a, b: a.join(b, on=str, value=pair, name="named"), require_names=True).plan()
    assert [store.name for sub in plan.sub_topologies for store in sub.stores] == [
        "run.lefts", "named", "run.rights", "named-subscriptions",
    ]  # fmt: skip
    assert [topic.name for topic in plan.repartition_topics()] == [
        "app-named-subscription-repartition", "app-named-response-repartition",
    ]  # fmt: skip


def test_join_without_a_function_gives_pairs() -> None:
    app = App("app")
    lefts, rights = app.topic("lefts", key=str, value=int), app.topic("rights", key=str, value=str)
    out = app.topic("out", key=str, value=tuple[int, str | None])

    @app.topology(lefts, rights, to=out)
    def join(lefts: Table[str, int], rights: Table[str, str]) -> Table[str, tuple[int, str | None]]:
        return lefts.left_join(rights)

    with TestDriver(app) as driver:
        driver.send(lefts, 1, key="a")
        driver.send(rights, "x", key="a")
        assert driver.read(out) == [("a", (1, None)), ("a", (1, "x"))]
        assert driver.store("join.left_join")["a"] == (1, "x")


def test_plan_in_words_names_the_global_tables() -> None:
    from framework.plan.describe import as_text

    app = declare(lambda a, b: a.join(b, value=pair, key=str), Stream[str, int], GlobalTable[str, str])
    assert "global tables, whole in every worker\n  read   rights  (str → str)" in as_text(app.plan())
    assert [topic.name for topic in app.plan().source_topics] == ["lefts", "rights"]


def test_mean_and_collect_of_a_grouped_table_take_out_what_a_row_was() -> None:
    app = App("grouped")
    amounts = app.topic("amounts", key=str, value=int)
    means = app.topic("means", key=int, value=float)
    lists = app.topic("lists", key=int, value=list[int])

    @app.topology(amounts, to=(means, lists))
    def t(amounts: Table[str, int]) -> tuple[Table[int, float], Table[int, list[int]]]:
        parity = amounts.group_by(lambda n: n % 2)
        return parity.mean(), parity.collect(lambda n: 10 * n)

    with TestDriver(app) as driver:
        for key, amount in [("a", 2), ("b", 4), ("c", 2), ("a", 6), ("b", 1), ("b", None)]:
            driver.send(amounts, amount, key=key)
        assert driver.table(means) == {0: 4.0}
        assert driver.table(lists) == {0: [20, 60]}
        driver.restart()
        driver.send(amounts, None, key="c")
        assert driver.table(means) == {0: 6.0}
        assert driver.table(lists) == {0: [60]}


def test_sum_of_bools_is_a_number() -> None:
    app = App("bools")
    votes = app.topic("votes", key=str, value=bool)
    yes = app.topic("yes", key=str, value=int)

    @app.topology(votes, to=yes)
    def t(votes: Stream[str, bool]) -> Table[str, int]:
        return votes.group_by_key().sum()

    assert dict(app.batch({votes: [("a", True), ("a", True), ("a", False)]})[yes]) == {"a": 2}
