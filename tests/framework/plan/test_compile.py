from framework import App, Stream, Table
from framework.plan.nodes import RepartitionNode


def test_steps_without_a_topic_between_them_are_one_sub_topology() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=int)
    out = app.topic("out", key=str, value=int)

    @app.topology(given, to=out)
    def total(given: Stream[str, int]) -> Table[str, int]:
        return given.filter(bool).group_by_key().sum()

    [sub] = app.plan().sub_topologies
    assert (sub.topics, [store.name for store in sub.stores], sub.is_ordered) == (("given",), ["total.sum"], False)
    assert [sink.topic for sink in sub.sinks] == ["out"]


def test_new_key_cuts_at_a_repartition_topic_made_once_per_stream() -> None:
    app = App("app")
    given = app.topic("given", value=str)

    @app.topology(given)
    def both(given: Stream[None, str]) -> None:
        rekeyed = given.rekey(str.lower)
        rekeyed.group_by_key().collect()
        rekeyed.to_table()

    plan = app.plan()
    assert [topic.name for topic in plan.repartition_topics()] == ["app-both.rekey-repartition"]
    first, second = plan.sub_topologies
    assert [sink.topic for sink in first.sinks] == ["app-both.rekey-repartition"]
    assert isinstance(second.sources[0].node, RepartitionNode)
    assert [store.name for store in second.stores] == ["both.collect", "both.to_table"]


def test_exact_aggregation_of_new_keys_has_a_repartition_of_partial_results() -> None:
    app = App("app")
    given = app.topic("given", value=str)

    @app.topology(given)
    def both(given: Stream[None, str]) -> None:
        grouped = given.group_by(str.lower)
        grouped.count()
        grouped.sum(len, type=int)
        grouped.sum(float, name="floats")
        grouped.count(changes="all", name="each")

    plan = app.plan()
    names = [topic.name for topic in plan.repartition_topics()]
    assert names == [
        "app-both.group_by-repartition",
        "app-both.count.partials-repartition",
        "app-both.sum.partials-repartition",
    ]
    stores = {store.name: sub.sources[0].topic for sub in plan.sub_topologies for store in sub.stores}
    assert stores == {
        "both.count": "app-both.count.partials-repartition",
        "both.sum": "app-both.sum.partials-repartition",
        "floats": "app-both.group_by-repartition",
        "each": "app-both.group_by-repartition",
    }


def test_topologies_that_read_one_topic_share_a_sub_topology() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=int)
    app.topology(given, name="one")(read)
    app.topology(given, name="two")(read)
    assert len(app.plan().sub_topologies) == 1


def test_paths_that_meet_again_are_ordered() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=int)

    @app.topology(given)
    def meet(given: Stream[str, int]) -> None:
        given.map(abs).merge(given).to_table()

    assert app.plan().sub_topologies[0].is_ordered


def test_changelog_of_what_forgets_by_time_may_be_cut_but_never_loses_records_by_age_or_size() -> None:
    app = App("app")
    given = app.topic("given", key=str, value=int)

    @app.topology(given)
    def count(given: Stream[str, int]) -> None:
        given.deduplicate(within="1m", name="once").group_by_key().count(name="counted")

    once, counted = app.plan().internal_topics
    assert [once.config[name] for name in once.checked] == ["compact,delete", "-1", "-1"]
    assert [counted.config[name] for name in counted.checked] == ["compact"]


def read(given: Stream[str, int]) -> None:
    given.for_each(print)
