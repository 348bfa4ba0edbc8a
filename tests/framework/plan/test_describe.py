"""A plan in words, as a picture and as data; what is expected stands here in full."""

import json

import pytest

from framework import App, Stream, Table
from framework.plan.describe import as_data, as_mermaid, as_text
from framework.plan.plan import Plan


@pytest.fixture
def plan(tmp_path, monkeypatch) -> Plan:
    # Places are printed relative to the current folder; lines are those of this source.
    monkeypatch.chdir(tmp_path)
    source = """
shop = App("shop")
orders = shop.topic("orders", key=str, value=float, partitions=4)
totals = shop.topic("totals", key=str, value=float, config={"cleanup.policy": "compact"})
large = shop.topic("large", key=str, value=float)

@shop.topology(orders, to=totals)
def sums(orders: Stream[str, float]) -> Table[str, float]:
    orders.filter(lambda amount: amount > 100, name="is-large").to(large)
    return orders.group_by_key().reduce(lambda old, new: old + new, name="sum")

@shop.topology(totals)
def by_size(totals: Stream[str, float]) -> None:
    totals.group_by(round, key=int, name="size").count()
"""
    space = {"App": App, "Stream": Stream, "Table": Table}
    exec(compile(source, str(tmp_path / "shop.py"), "exec"), space)
    return space["shop"].plan()


def test_plan_as_text(plan: Plan) -> None:
    assert (
        as_text(plan)
        == """\
app shop: 3 sub-topologies, 2 stores, 3 internal topics
guarantee  exactly once: input offsets, state changes and output become visible together or not at all

sub-topology 0
  read   orders  (str → float)  shop.py:7
  step   is-large  filter after orders  shop.py:9
  step   sum  reduce after orders  shop.py:10
  store  sum  (str → float)  changelog shop-sum-changelog
  write  large  (str → float) after is-large  shop.py:9
  write  totals  (str → float) after sum  shop.py:7

sub-topology 1
  read   totals  (str → float)  shop.py:12
  step   size  group_by after totals  shop.py:14
  step   by_size.count.combine  combine after size  shop.py:14
  write  shop-by_size.count.partials-repartition  (int → int) after by_size.count.combine  shop.py:14

sub-topology 2
  read   shop-by_size.count.partials-repartition  (int → int)  shop.py:14
  step   by_size.count  count after by_size.count.partials  shop.py:14
  store  by_size.count  (int → int)  changelog shop-by_size.count-changelog

internal topics, made at start
  shop-by_size.count.partials-repartition
    repartition, partitions: as many as the topics that lead to it
    cleanup.policy=delete retention.ms=-1 retention.bytes=-1 message.timestamp.after.max.ms=9223372036854775807
  shop-sum-changelog
    changelog, partitions: one for each task of sub-topology 0
    cleanup.policy=compact message.timestamp.after.max.ms=9223372036854775807
  shop-by_size.count-changelog
    changelog, partitions: one for each task of sub-topology 2
    cleanup.policy=compact message.timestamp.after.max.ms=9223372036854775807
"""
    )


def test_plan_as_mermaid(plan: Plan) -> None:
    assert (
        as_mermaid(plan)
        == """\
flowchart LR
    n0(["orders"])
    n3(["large"])
    n4(["totals"])
    n7(["shop-by_size.count.partials-repartition"])
    subgraph s0["sub-topology 0"]
        n1["filter<br/>is-large"]
        n2[("reduce<br/>sum")]
    end
    subgraph s1["sub-topology 1"]
        n5["group_by<br/>size"]
        n6["combine<br/>by_size.count.combine"]
    end
    subgraph s2["sub-topology 2"]
        n8[("count<br/>by_size.count")]
    end
    n0 --> n1
    n0 --> n2
    n1 --> n3
    n2 --> n4
    n4 --> n5
    n5 --> n6
    n6 --> n7
    n7 --> n8
"""
    )


def test_plan_as_data_goes_through_json_unchanged(plan: Plan) -> None:
    data = as_data(plan)
    assert json.loads(json.dumps(data)) == data
    assert data["sub_topologies"][0] == {
        "index": 0,
        "sources": [{"topic": "orders", "key": "str", "value": "float", "declared": "shop.py:7"}],
        "steps": [
            {"name": "is-large", "verb": "filter", "after": ["orders"], "declared": "shop.py:9"},
            {"name": "sum", "verb": "reduce", "after": ["orders"], "declared": "shop.py:10"},
        ],
        "stores": [{"name": "sum", "key": "str", "value": "float", "changelog": "shop-sum-changelog"}],
        "sinks": [
            {"topic": "large", "key": "str", "value": "float", "declared": "shop.py:9", "after": "is-large"},
            {"topic": "totals", "key": "str", "value": "float", "declared": "shop.py:7", "after": "sum"},
        ],
    }
