"""The command line: the commands, and how errors become messages and exit codes.

Start-up is quick because commands import what they need when they run: `penstock --help` loads neither Kafka's client
nor RocksDB nor the settings.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from framework.cli.batch import batch
from framework.cli.broker import broker
from framework.cli.describe import describe
from framework.cli.dev import dev
from framework.cli.help import HelpWithSettings
from framework.cli.reset import reset
from framework.cli.run import run
from framework.cli.topics import topics
from framework.errors import StreamError
from state import StateError


class _Group(TyperGroup):
    """Ends with the exit code of a known error and its message; an unknown one keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (StreamError, StateError) as error:
            typer.echo(f"penstock: {error}", err=True)
            raise typer.Exit(getattr(error, "exit_code", 1)) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error


cli = typer.Typer(
    name="penstock",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"penstock {version('penstock')}")
        raise typer.Exit


@cli.callback()
def penstock(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Typed stream topologies on Kafka: exactly once, with local state.

    \b
    Begin with
      penstock dev APP         a Kafka on this machine, the app running, reload on change
      penstock describe APP    what the app comes to, without Kafka

    APP is package.module:variable, found from the current folder; a module with one App may leave out :variable.

    \b
    Exit codes
      0  done, or stopped by SIGTERM or SIGINT
      1  an error that has no code of its own
      2  the command, the app or a setting is wrong
      3  no broker answers, or its topics do not fit the app
      4  another process took over this one's identity
      5  a record could not be processed
      130  interrupted while starting
    """


cli.command(cls=HelpWithSettings)(run)
cli.command()(dev)
cli.command()(batch)
cli.command()(describe)
cli.command()(topics)
cli.command()(reset)
cli.command()(broker)


def main() -> None:
    """The entry point of the command."""
    cli(prog_name="penstock")


if __name__ == "__main__":
    main()
