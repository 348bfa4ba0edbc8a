"""`penstock batch`: the app over files, without Kafka."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from framework.cli.loading import load_app
from framework.cli.options import AppName
from framework.errors import ConfigError
from framework.plan.topics import TopicSpec


def batch(
    app: AppName,
    inputs: Annotated[
        list[str], typer.Option("--in", "-i", metavar="TOPIC=FILE", help="A file to read for a topic; may be repeated.")
    ],
    outputs: Annotated[
        list[str] | None,
        typer.Option("--out", "-o", metavar="TOPIC=FILE", help="A file to write for a topic; may be repeated."),
    ] = None,
) -> None:
    """Run the app over files, without Kafka, to their end.

    The same program, steps and results as in production. Formats by suffix: .txt (a line is a value), .jsonl, .csv,
    .parquet; of a topic with keys a record has the fields key, value and, if wanted, timestamp (ms). What the app
    writes to topics without --out is not kept.

    \b
    Example
      penstock batch apps.wordcount.app:app --in lines=book.txt --out counts=counts.jsonl

    \b
    Exit codes: 0 done, 2 app, option or file wrong, 5 a record.
    """
    loaded = load_app(app)
    from framework.drivers.batch import run_batch_on_files

    topics = {topic.name: topic for topic in loaded.plan().topics}
    written = run_batch_on_files(loaded.plan(), _files(inputs, topics), _files(outputs or [], topics))
    for name, count in written.items():
        typer.echo(f"{name}: {count} records")


def _files(given: Sequence[str], topics: dict[str, TopicSpec]) -> dict[str, Path]:
    files = {}
    for pair in given:
        name, is_pair, file = pair.partition("=")
        if not is_pair or not file:
            raise ConfigError(f"expected TOPIC=FILE, as in lines=book.txt, got {pair!r}.")
        if name not in topics:
            raise ConfigError(f'the app has no topic "{name}"; its topics: {", ".join(topics)}.')
        files[name] = Path(file)
    return files
