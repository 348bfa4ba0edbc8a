"""`penstock dev`: a Kafka of its own, the app running on it, and a new process of the app whenever its files change.

The app runs in a child process, `penstock run --create-topics`: a module cannot be reloaded whole in the process that
has imported it. A child that ends by itself, such as by an error in the code just saved, is started again by the next
change.
"""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from framework.cli.broker import SPEEDY_HEAP_MB
from framework.cli.loading import module_file
from framework.cli.options import AppName, LogLevel
from framework.cli.signals import stop_asked, term_interrupts

_STOP_TIMEOUT_S = 20.0


def dev(
    app: AppName,
    port: Annotated[
        int, typer.Option(metavar="PORT", help="Where Kafka listens, on the loopback interface; 0: a free one.")
    ] = 9092,
    folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where topics and stores stay until the next time.", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(metavar="N", help="Worker processes.")] = 1,
    log_level: LogLevel = "info",
) -> None:
    """Run the app on a Kafka of its own, again at each change.

    Makes the topics of the app, runs it, and starts it again when its files change. Kafka's address is printed
    first; any client can write to the topics there. Topics and stores are gone when the command ends (Ctrl-C),
    unless --folder keeps them. Watched are the Python files in the folder of the app's module, and below it.

    \b
    Examples
      penstock dev apps.wordcount.app:app
      penstock dev apps.wordcount.app:app --port 0 --folder .penstock/dev

    \b
    Exit codes: 0 stopped, 2 no such app, 3 Kafka cannot be fetched or started.
    """
    file = module_file(app)
    from framework.broker import ConsoleProgress, EmbeddedKafka

    with term_interrupts(), ExitStack() as stack:
        kept = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="penstock-dev-")))
        kafka = EmbeddedKafka(kept / "kafka", port or None, heap_mb=SPEEDY_HEAP_MB, progress=ConsoleProgress())
        stack.enter_context(kafka)
        typer.echo(f"Kafka at {kafka.bootstrap}, watching {file.parent}; Ctrl-C ends both")
        command = [
            sys.executable, "-m", "framework.cli.main", "run", app, "--create-topics",
            "--bootstrap-servers", kafka.bootstrap, "--state-dir", str(kept / "state"),
            "--workers", str(workers), "--log-level", log_level,
        ]  # fmt: skip
        with stop_asked() as asked:
            run_and_reload(command, file.parent, asked, typer.echo)


def run_and_reload(command: list[str], folder: Path, asked: threading.Event, tell: Callable[[str], None]) -> None:
    """Run the command, again at each change of a Python file in the folder, until asked to stop."""
    from watchfiles import PythonFilter, watch

    child = _start(command)
    try:
        for changes in watch(folder, watch_filter=PythonFilter(), stop_event=asked, raise_interrupt=False):
            tell(f"{', '.join(sorted(Path(path).name for _, path in changes))} changed: starting again")
            _stop(child)
            child = _start(command)
    finally:
        _stop(child)


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    # Reason: Ctrl-C reaches the whole terminal; a session of its own lets the child be stopped once, and in order.
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _stop(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
