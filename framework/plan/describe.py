"""A plan in words, as a picture, and as data: what runs, where it was declared, what it makes on the broker.

All three are made from one description, a plain structure of dicts and lists (`as_data`), so they cannot disagree. The
same plan always gives the same text, so it can be kept in a repository and compared.
"""

from typing import Any

from framework.plan.nodes import Node, RepartitionNode, SinkNode, SourceNode
from framework.plan.plan import Plan, Sink, Source, StorePlan, SubTopology, table_source
from framework.plan.topics import InternalTopic, TopicRole

GUARANTEE = "exactly once: input offsets, state changes and output become visible together or not at all"


def as_data(plan: Plan) -> dict[str, Any]:
    """The plan as what JSON can hold. Serdes go by their names; `key` None means a topic without keys."""
    return {
        "app": plan.app_id,
        "guarantee": GUARANTEE,
        "sub_topologies": [_sub_topology(sub) for sub in plan.sub_topologies],
        "topics": [{"name": t.name, "partitions": t.partitions, "config": dict(t.config)} for t in plan.topics],
        "global_tables": [_end(table_source(table)) for table in plan.global_tables],
        "internal_topics": [_internal_topic(topic) for topic in plan.internal_topics],
    }


def _sub_topology(sub: SubTopology) -> dict[str, Any]:
    return {
        "index": sub.index,
        "sources": [_end(source) for source in sub.sources],
        "steps": [_step(node) for node in sub.steps if not isinstance(node, SourceNode | RepartitionNode | SinkNode)],
        "stores": [_store(store) for store in sub.stores],
        "sinks": [{**_end(sink), "after": sink.node.parents[0].name} for sink in sub.sinks],
    }


def _end(end: Source | Sink) -> dict[str, Any]:
    return {
        "topic": end.topic,
        "key": end.key_serde.name if end.key_serde is not None else None,
        "value": end.value_serde.name,
        "declared": str(end.node.origin),
    }


def _step(node: Node) -> dict[str, Any]:
    return {
        "name": node.name,
        "verb": node.verb,
        "after": [parent.name for parent in node.parents],
        "declared": str(node.origin),
    }


def _store(store: StorePlan) -> dict[str, Any]:
    return {
        "name": store.name,
        "key": store.spec.key_serde.name,
        "value": store.spec.value_serde.name,
        "source topic" if store.is_source else "changelog": store.changelog,
    }


def _internal_topic(topic: InternalTopic) -> dict[str, Any]:
    if topic.role is TopicRole.CHANGELOG:
        partitions = f"one for each task of sub-topology {topic.sub_topology}"
    else:
        partitions = str(topic.partitions) if topic.partitions else "as many as the topics that lead to it"
    return {"name": topic.name, "role": topic.role.value, "partitions": partitions, "config": topic.config}


def as_text(plan: Plan) -> str:
    """The plan for people; ends with a line break."""
    data = as_data(plan)
    subs, internal = data["sub_topologies"], data["internal_topics"]
    stores = sum(len(sub["stores"]) for sub in subs)
    lines = [
        f"app {data['app']}: {_count(len(subs), 'sub-topology', 'sub-topologies')}, "
        f"{_count(stores, 'store', 'stores')}, {_count(len(internal), 'internal topic', 'internal topics')}",
        f"guarantee  {data['guarantee']}",
    ]
    for sub in subs:
        lines += ["", f"sub-topology {sub['index']}"]
        lines += [f"  read   {end['topic']}  ({_types(end)})  {end['declared']}" for end in sub["sources"]]
        lines += [
            f"  step   {step['name']}  {step['verb']} after {', '.join(step['after'])}  {step['declared']}"
            for step in sub["steps"]
        ]
        lines += [
            f"  store  {store['name']}  ({_types(store)})  {log} {store[log]}"
            for store in sub["stores"]
            for log in ("changelog", "source topic")
            if log in store
        ]
        lines += [
            f"  write  {end['topic']}  ({_types(end)}) after {end['after']}  {end['declared']}" for end in sub["sinks"]
        ]
    if tables := data["global_tables"]:
        lines += ["", "global tables, whole in every worker"]
        lines += [f"  read   {end['topic']}  ({_types(end)})  {end['declared']}" for end in tables]
    if internal:
        lines += ["", "internal topics, made at start"]
    for topic in internal:
        settings = " ".join(f"{name}={value}" for name, value in topic["config"].items())
        lines += [f"  {topic['name']}", f"    {topic['role']}, partitions: {topic['partitions']}", f"    {settings}"]
    return "\n".join(lines) + "\n"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _types(end: dict[str, Any]) -> str:
    return f"{end['key'] or 'no key'} → {end['value']}"


def as_mermaid(plan: Plan) -> str:
    """The plan as a flowchart in Mermaid's language: topics round, steps square, stores as cylinders."""
    data = as_data(plan)
    ids: dict[tuple[str, str], str] = {}

    def node(kind: str, name: str) -> str:
        return ids.setdefault((kind, name), f"n{len(ids)}")

    groups: list[str] = []
    edges: list[str] = []
    for sub in data["sub_topologies"]:
        # Reason: a step finds its parents by name, and a topic that is read goes by the name of its node.
        sources = plan.sub_topologies[sub["index"]].sources
        place = {source.node.name: node("topic", source.topic) for source in sources}
        groups.append(f'    subgraph s{sub["index"]}["sub-topology {sub["index"]}"]')
        stores = {store["name"] for store in sub["stores"]}
        for step in sub["steps"]:
            place[step["name"]] = here = node(f"step {sub['index']}", step["name"])
            shape = ('[("', '")]') if step["name"] in stores else ('["', '"]')
            groups.append(f"        {here}{shape[0]}{step['verb']}<br/>{step['name']}{shape[1]}")
            edges += [f"    {place[parent]} --> {here}" for parent in step["after"]]
        groups.append("    end")
        edges += [f"    {place[end['after']]} --> {node('topic', end['topic'])}" for end in sub["sinks"]]
    topics = [f'    {key}(["{name}"])' for (kind, name), key in ids.items() if kind == "topic"]
    return "\n".join(["flowchart LR", *topics, *groups, *edges]) + "\n"
