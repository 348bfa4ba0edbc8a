"""Tables that hold a topic as it is: what is planned for them when source topics are reused."""

from collections.abc import Callable
from typing import Any

import pytest

from framework import App, Stream, Table
from framework.errors import ProgramChanged
from framework.plan.describe import as_data, as_text
from framework.plan.fingerprint import check, fingerprints
from framework.plan.plan import Plan
from framework.testing import TestDriver


def table_plan(*, reuse: bool = True, topic: str = "names", **options: Any) -> Plan:
    app = App("shop", reuse_source_topics=reuse)
    names = app.topic(topic, key=str, value=str, **options)

    @app.topology(names)
    def keep(names: Table[str, str]) -> None:
        names.map(len)

    return app.plan()


def stream_plan(declare: Callable[[Any], Any]) -> Plan:
    app = App("shop", reuse_source_topics=True)
    names = app.topic("names", key=str, value=str)

    @app.topology(names)
    def keep(names: Stream[str, str]) -> None:
        declare(names)

    return app.plan()


def internal(plan: Plan) -> list[str]:
    return [topic.name for topic in plan.internal_topics]


def test_table_of_a_topic_has_no_changelog_if_source_topics_are_reused() -> None:
    assert internal(table_plan()) == []
    assert internal(table_plan(reuse=False)) == ["shop-keep.names-changelog"]
    assert internal(stream_plan(lambda names: names.to_table(name="kept"))) == []


def test_table_that_is_not_its_topic_keeps_its_changelog() -> None:
    assert internal(stream_plan(lambda names: names.filter(len).to_table(name="kept"))) == ["shop-kept-changelog"]
    assert internal(table_plan(timestamp=len)) == ["shop-keep.names-changelog"]
    assert "shop-keep.names-changelog" in internal(table_plan(history="1h"))


def test_count_beside_such_a_table_keeps_its_changelog() -> None:
    def declare(names: Any) -> None:
        names.to_table(name="kept")
        names.group_by_key().count(name="counted")

    assert internal(stream_plan(declare)) == ["shop-counted-changelog"]


def test_description_names_the_source_topic_of_a_store() -> None:
    plan = table_plan()
    assert "  store  keep.names  (str → str)  source topic names\n" in as_text(plan)
    assert as_data(plan)["sub_topologies"][0]["stores"] == [
        {"name": "keep.names", "key": "str", "value": "str", "source topic": "names"}
    ]


@pytest.mark.parametrize(
    ("before", "now", "message"),
    [
        (table_plan(reuse=False), table_plan(), "from its changelog and is from the topic names"),
        (table_plan(), table_plan(reuse=False), "from the topic names and is from its changelog"),
        (table_plan(), table_plan(topic="people"), "from the topic names and is from the topic people"),
    ],
    ids=["turned on", "turned off", "other topic"],
)
def test_store_whose_log_becomes_another_does_not_fit(before: Plan, now: Plan, message: str) -> None:
    with pytest.raises(ProgramChanged, match=message):
        check(now, fingerprints(before))
    check(now, fingerprints(now))


def test_store_holds_the_format_of_its_topic() -> None:
    app = App("shop", reuse_source_topics=True)
    names = app.topic("names", key=str, value=str, serde="json")
    found = app.topic("found", key=str, value=str)
    asks = app.topic("asks", key=str, value=str)

    @app.topology(asks, names, to=found)
    def find(asks: Stream[str, str], names: Table[str, str]) -> Stream[str, str]:
        return asks.join(names, value=lambda ask, name: ask + name, type=str)

    with TestDriver(app) as driver:
        driver.send(names, "Ann", key="a")
        driver.send_bytes(names, b' "Bob"', key=b"b")
        driver.restart()
        driver.send(asks, "is ", key="a")
        driver.send(asks, "is ", key="b")
        assert driver.read(found) == [("a", "is Ann"), ("b", "is Bob")]


def test_record_that_was_passed_over_and_one_without_key_are_no_rows_after_a_restore() -> None:
    app = App("shop", reuse_source_topics=True)
    names = app.topic("names", key=str, value=int)

    @app.topology(names)
    def keep(names: Table[str, int]) -> None:
        names.map(str)

    with TestDriver(app) as driver:
        driver.send(names, 1, key="a")
        with pytest.raises(Exception, match="cannot process"):
            driver.send_bytes(names, b"no int", key=b"b")
        driver.send(names, 3)
        driver.send(names, 4, key="d")
        driver.restart()
        assert dict(driver.store("keep.names").items()) == {"a": 1, "d": 4}
