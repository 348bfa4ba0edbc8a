"""`penstock topics`: the app's topics and their state on the broker."""

from typing import Annotated

import typer

from framework.cli.loading import load_app
from framework.cli.options import AppName, BootstrapServers, More, settings_of


def topics(
    app: AppName,
    create: Annotated[bool, typer.Option("--create", help="Create the topics of the app that are missing.")] = False,
    bootstrap_servers: BootstrapServers = None,
    more: More = None,
) -> None:
    """List the topics of the app, or create them.

    Shows each topic with its use, its state and its partitions on the broker; --create first makes the missing
    ones.

    Topics of the user are created with the partitions, replication and settings of their declaration, else with 4
    partitions. Internal topics (repartition, changelog) are not created here: `penstock run` makes them at start.

    \b
    Examples
      penstock topics apps.wordcount.app:app
      penstock topics apps.wordcount.app:app --create --bootstrap-servers kafka:9092

    \b
    Exit codes: 0 done, 2 app or setting wrong, 3 no broker answers or a topic cannot be created.
    """
    loaded = load_app(app)
    arguments = settings_of(more, bootstrap_servers=bootstrap_servers)
    from framework.cli.broker_topics import create_missing, partitions_of

    created = create_missing(loaded, arguments) if create else []
    plan, existing = loaded.plan(), partitions_of(loaded, arguments)
    read = {topic.name for topic in plan.source_topics}
    written = {sink.topic for sub in plan.sub_topologies for sink in sub.sinks}
    rows = [
        (
            topic.name,
            " and ".join([word for word, names in (("read", read), ("written", written)) if topic.name in names]),
            "created" if topic.name in created else "there" if topic.name in existing else "missing",
        )
        for topic in plan.topics
    ]
    rows += [
        (topic.name, topic.role.value, "there" if topic.name in existing else "made at start")
        for topic in plan.internal_topics
    ]
    _print([("TOPIC", "USE", "STATE", "PARTITIONS"), *((*row, str(existing.get(row[0], "-"))) for row in rows)])


def _print(rows: list[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
