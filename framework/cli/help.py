"""Help of commands that take settings: a list of them all, made from the one table that declares them."""

from typing import Any

from typer.core import TyperCommand


class HelpWithSettings(TyperCommand):
    """Adds the settings, their variables in the environment and their defaults to the end of `--help`."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the list; loads the settings only now."""
        from framework.config import Settings

        with formatter.section("Settings by environment, or by --set NAME=VALUE"):
            formatter.write_dl(
                [
                    (f"PENSTOCK_{name.upper()}", f"{field.description} Default: {_default(field)}.")
                    for name, field in Settings.model_fields.items()
                ]
            )
        super().format_epilog(ctx, formatter)


def _default(field: Any) -> str:
    default = field.get_default(call_default_factory=True)
    return str(default) if default not in (None, {}) else "none"
