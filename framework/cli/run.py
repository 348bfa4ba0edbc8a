"""`penstock run`: the app in production."""

import subprocess
import sys
from typing import Annotated, Literal

import typer

from framework.cli.loading import load_app
from framework.cli.options import AppName, BootstrapServers, LogLevel, More, StateDir, set_up_log, settings_of


def run(
    app: AppName,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Worker processes on this machine.", show_default=False)
    ] = None,
    bootstrap_servers: BootstrapServers = None,
    state_dir: StateDir = None,
    instance: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Stable name of this process, such as its pod's.", show_default=False),
    ] = None,
    until_end: Annotated[
        bool, typer.Option("--until-end", help="Process what there is now, write final results, then exit 0.")
    ] = False,
    mode: Annotated[
        Literal["exactly-once", "continuous"] | None,
        typer.Option(help="continuous: at least once, outputs leave at once.", show_default=False),
    ] = None,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="First create the topics of the app that are missing.")
    ] = False,
    more: More = None,
    log_level: LogLevel = "info",
) -> None:
    """Run the app until SIGTERM or SIGINT.

    One worker in this process, or several under a supervisor (--workers).

    Workers of one app form a consumer group, on this machine and on others: Kafka divides the partitions among
    them. The topics that the app reads and writes must exist; those it needs for itself are made. On SIGTERM or
    SIGINT the open transaction is committed, and another worker goes on from there.

    \b
    Examples
      penstock run apps.wordcount.app:app
      penstock run apps.wordcount.app:app --workers 4 --bootstrap-servers kafka:9092
      penstock run apps.wordcount.app:app --until-end
      penstock run apps.wordcount.app:app --mode continuous
      PENSTOCK_KAFKA__SECURITY__PROTOCOL=SSL penstock run shop.orders --set commit_interval=20ms

    \b
    Exit codes: 0 stopped, 2 app or setting wrong, 3 broker or topics, 4 identity taken over, 5 a record.
    """
    set_up_log(log_level)
    loaded = load_app(app)
    arguments = settings_of(
        more,
        workers=workers,
        bootstrap_servers=bootstrap_servers,
        state_dir=state_dir,
        instance=instance,
        until_end=until_end or None,
        mode=mode,
    )
    from framework.runtime.run import run_app

    if create_topics:
        _create_topics(app, bootstrap_servers, more)
    run_app(loaded, arguments)


def _create_topics(app: str, bootstrap_servers: str | None, more: list[str] | None) -> None:
    # Reason: workers are forked from this process, and a client of Kafka does not survive a fork.
    command = [sys.executable, "-m", "framework.cli.main", "topics", app, "--create"]
    command += ["--bootstrap-servers", bootstrap_servers] if bootstrap_servers else []
    command += [part for item in more or () for part in ("--set", item)]
    ended = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    if ended.returncode:
        raise typer.Exit(ended.returncode)
