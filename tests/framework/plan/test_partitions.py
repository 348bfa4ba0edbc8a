import pytest

from framework import App, Stream, Table
from framework.errors import TopicError
from framework.plan.partitions import lay_out
from framework.records import TaskId, TopicPartition


def two_inputs(partitions: int | None = None) -> App:
    app = App("app")
    a = app.topic("a", key=str, value=int)
    b = app.topic("b", key=str, value=int)

    @app.topology(a, b)
    def total(a: Stream[str, int], b: Stream[str, int]) -> None:
        (b if partitions is None else b.repartition(partitions=partitions, name="spread")).merge(a).group_by_key().sum()

    return app


def test_inputs_that_meet_in_a_store_belong_to_one_task() -> None:
    layout = lay_out(two_inputs().plan(), {"a": 2, "b": 2})
    assert layout.tasks() == [TaskId(0, 0), TaskId(0, 1)]
    assert layout.inputs(TaskId(0, 1)) == [TopicPartition("a", 1), TopicPartition("b", 1)]
    assert layout.partitions["app-total.sum-changelog"] == 2


def test_inputs_with_other_numbers_are_refused_with_the_way_out() -> None:
    with pytest.raises(TopicError, match=r"a has 2, b has 3\. Bring one of them by \.repartition\(partitions="):
        lay_out(two_inputs().plan(), {"a": 2, "b": 3})


def test_repartition_brings_them_together() -> None:
    layout = lay_out(two_inputs(partitions=2).plan(), {"a": 2, "b": 3})
    assert layout.partitions["app-spread-repartition"] == 2


def test_wrong_repartition_is_refused() -> None:
    with pytest.raises(TopicError, match="Correct repartition"):
        lay_out(two_inputs(partitions=5).plan(), {"a": 2, "b": 3})


def test_missing_topic_is_named() -> None:
    with pytest.raises(TopicError, match='the app "app" reads b, which the broker does not have'):
        lay_out(two_inputs().plan(), {"a": 2})


def test_repartition_topic_has_as_many_as_the_largest_before_it() -> None:
    app = App("app")
    lines = app.topic("lines", value=str)

    @app.topology(lines)
    def count(lines: Stream[None, str]) -> None:
        counts: Table[str, int] = lines.group_by(lambda line: line).count()
        counts.to_stream().group_by(str).count()

    layout = lay_out(app.plan(), {"lines": 3})
    assert layout.partitions["app-count.count.partials-repartition"] == 3
    assert layout.partitions["app-count.count-2.partials-repartition"] == 3
    assert len(layout.tasks()) == 9
