"""`penstock describe`: what an app comes to, without Kafka."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from framework.cli.loading import load_app
from framework.cli.options import AppName


class Format(StrEnum):
    """How a plan is written."""

    TEXT = "text"
    MERMAID = "mermaid"
    JSON = "json"


def describe(
    app: AppName,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to write it.")] = Format.TEXT,
) -> None:
    """Print what the app comes to, without Kafka.

    Sub-topologies, steps with file and line, stores, topics and guarantees. Needs no Kafka. The same app always
    gives the same output, so it can be kept and compared. The format mermaid is a picture for documents; json is
    for programs.

    \b
    Examples
      penstock describe apps.wordcount.app:app
      penstock describe apps.wordcount.app:app --format mermaid > docs/wordcount.mmd

    \b
    Exit codes: 0 done, 2 no such app, or it is declared wrongly.
    """
    from framework.plan.describe import as_data, as_mermaid, as_text

    plan = load_app(app).plan()
    match format:
        case Format.TEXT:
            typer.echo(as_text(plan), nl=False)
        case Format.MERMAID:
            typer.echo(as_mermaid(plan), nl=False)
        case Format.JSON:
            typer.echo(json.dumps(as_data(plan), indent=2, ensure_ascii=False))
