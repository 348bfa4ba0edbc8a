"""`penstock reset`: start an app over."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from framework.cli.loading import load_app
from framework.cli.options import AppName, BootstrapServers, More, StateDir, settings_of
from framework.errors import ConfigError


def reset(
    app: AppName,
    to: Annotated[
        str, typer.Option("--to", metavar="PLACE", help="earliest, end, or a time such as 2030-01-31T12:00.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    bootstrap_servers: BootstrapServers = None,
    state_dir: StateDir = None,
    more: More = None,
) -> None:
    """Start the app over: delete its state, and set from where it reads.

    Deletes the internal topics (changelogs, repartition topics), the state folder on this machine and the offsets of
    the group, then sets the offsets of the topics that the app reads. Workers must be stopped. State folders on other
    machines are not touched: what is in them no longer fits the changelogs and is made anew.

    \b
    Examples
      penstock reset apps.wordcount.app:app --to earliest --dry-run
      penstock reset apps.wordcount.app:app --to 2030-01-31T12:00+01:00

    \b
    Exit codes: 0 done, 2 app or option wrong, 3 no broker answers, or workers are running.
    """
    loaded = load_app(app)
    from framework.config import load_settings
    from framework.runtime.reset import Reset

    arguments = settings_of(more, bootstrap_servers=bootstrap_servers, state_dir=state_dir)
    work = Reset(loaded.plan(), load_settings(arguments, loaded.settings))
    prepared = work.prepare(_place(to))
    if not dry_run:
        work.run(prepared)
    will = "would be " if dry_run else ""
    for name in prepared.topics:
        typer.echo(f"topic {name}: {will}deleted")
    for folder in prepared.folders:
        typer.echo(f"folder {folder}: {will}deleted")
    for tp, offset in prepared.offsets.items():
        typer.echo(f"{tp}: {will}read from {offset}")


def _place(to: str) -> Literal["earliest", "end"] | int:
    if to == "earliest":
        return "earliest"
    if to == "end":
        return "end"
    try:
        time = datetime.fromisoformat(to)
    except ValueError as error:
        raise ConfigError(f"--to takes earliest, end or a time such as 2030-01-31T12:00, got {to!r}.") from error
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return int(time.timestamp() * 1000)
