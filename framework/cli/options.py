"""Arguments and options that several commands share, and how they become settings."""

import logging
from pathlib import Path
from typing import Annotated, Any

import typer

from framework.errors import ConfigError

AppName = Annotated[str, typer.Argument(metavar="APP", help="package.module:variable, such as apps.wordcount.app:app.")]
BootstrapServers = Annotated[
    str | None,
    typer.Option("--bootstrap-servers", "-b", metavar="HOST:PORT", help="Brokers to ask first.", show_default=False),
]
StateDir = Annotated[
    Path | None, typer.Option("--state-dir", metavar="FOLDER", help="Where stores are kept.", show_default=False)
]
More = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any other setting; may be given several times."),
]
LogLevel = Annotated[
    str, typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error; the log is on stderr.")
]


def set_up_log(level: str) -> None:
    """Log to stderr, with the time.

    Raises:
        ConfigError: there is no such level.
    """
    known = logging.getLevelNamesMapping()
    if level.upper() not in known:
        raise ConfigError(f"the log level is {level!r}: choose debug, info, warning or error.")
    logging.basicConfig(level=known[level.upper()], format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")


def settings_of(more: list[str] | None, **given: Any) -> dict[str, Any]:
    """The arguments of `load_settings`: those given by options, and `NAME=VALUE` for the rest.

    `kafka.NAME=VALUE` sets one of the client's settings.

    Raises:
        ConfigError: not of the form NAME=VALUE.
    """
    settings = {name: value for name, value in given.items() if value is not None}
    for item in more or ():
        name, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set takes NAME=VALUE, such as commit_interval=50ms, got {item!r}.")
        if name.startswith("kafka."):
            settings.setdefault("kafka", {})[name.removeprefix("kafka.")] = value
        else:
            settings[name.replace("-", "_")] = value
    return settings
