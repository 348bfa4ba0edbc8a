"""The command line without a broker: help, version, describe, errors and exit codes."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from framework.cli.main import cli
from framework.cli.options import settings_of
from framework.errors import ConfigError, FencedError
from state import StateFolderInUse

WORDCOUNT = "apps.wordcount.app:app"


def test_version_is_printed() -> None:
    answer = CliRunner().invoke(cli, ["--version"])
    assert (answer.exit_code, answer.stdout.split()[0]) == (0, "penstock")


@pytest.mark.parametrize("command", ["run", "dev", "describe", "topics", "broker"])
def test_help_of_a_command_has_an_example_and_its_exit_codes(command: str) -> None:
    answer = CliRunner().invoke(cli, [command, "--help"])
    assert answer.exit_code == 0
    assert f"penstock {command}" in answer.stdout.split("Examples")[1]
    assert "Exit codes: 0 " in answer.stdout


def test_help_of_run_lists_every_setting() -> None:
    from framework.config import Settings

    shown = CliRunner().invoke(cli, ["run", "--help"]).stdout
    assert [name for name in Settings.model_fields if f"PENSTOCK_{name.upper()}" not in shown] == []


def test_describe_prints_text_unless_asked_otherwise() -> None:
    answer = CliRunner().invoke(cli, ["describe", WORDCOUNT])
    assert answer.exit_code == 0
    assert answer.stdout.startswith("app wordcount: 2 sub-topologies, 1 store, 2 internal topics\n")


def test_describe_as_json_is_json() -> None:
    answer = CliRunner().invoke(cli, ["describe", WORDCOUNT, "--format", "json"])
    assert json.loads(answer.stdout)["app"] == "wordcount"


def test_describe_as_mermaid_is_a_flowchart() -> None:
    assert CliRunner().invoke(cli, ["describe", WORDCOUNT, "-f", "mermaid"]).stdout.startswith("flowchart LR\n")


def test_missing_app_ends_with_2_and_no_traceback() -> None:
    command = [sys.executable, "-m", "framework.cli.main", "run", "no_such_module"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith('penstock: there is no module "no_such_module"')
    assert "Traceback" not in ended.stderr


def test_unknown_setting_ends_with_2() -> None:
    answer = CliRunner().invoke(cli, ["run", WORDCOUNT, "--set", "colour=red"])
    assert answer.exit_code == 2
    assert answer.stderr.startswith("penstock: there is no setting colour: known are ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(FencedError("fenced"), 4, id="an error with a code of its own"),
        pytest.param(StateFolderInUse("in use"), 1, id="an error of the state"),
    ],
)
def test_known_error_ends_with_its_code_and_its_message(monkeypatch, error: Exception, code: int) -> None:
    def run_app(*_: object) -> None:
        raise error

    monkeypatch.setattr("framework.runtime.run.run_app", run_app)
    answer = CliRunner().invoke(cli, ["run", WORDCOUNT])
    assert (answer.exit_code, answer.stderr) == (code, f"penstock: {error}\n")


def test_unknown_error_keeps_its_traceback(monkeypatch) -> None:
    def run_app(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr("framework.runtime.run.run_app", run_app)
    assert isinstance(CliRunner().invoke(cli, ["run", WORDCOUNT]).exception, KeyError)


def test_options_that_were_not_given_are_left_to_the_environment(monkeypatch) -> None:
    seen = {}
    monkeypatch.setattr("framework.runtime.run.run_app", lambda app, arguments: seen.update(arguments))
    options = ["--workers", "3", "--set", "commit-interval=20ms", "--set", "kafka.client.rack=a"]
    assert CliRunner().invoke(cli, ["run", WORDCOUNT, *options]).exit_code == 0
    assert seen == {"workers": 3, "commit_interval": "20ms", "kafka": {"client.rack": "a"}}


def test_set_without_equals_sign_is_refused() -> None:
    with pytest.raises(ConfigError, match="--set takes NAME=VALUE"):
        settings_of(["commit_interval"])


def test_log_level_that_does_not_exist_ends_with_2() -> None:
    answer = CliRunner().invoke(cli, ["run", WORDCOUNT, "--log-level", "loud"])
    assert (answer.exit_code, answer.stderr) == (
        2,
        "penstock: the log level is 'loud': choose debug, info, warning or error.\n",
    )


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; from framework.cli.main import cli\n"
        "try: cli(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('confluent_kafka', 'rocksdict', 'pydantic_settings', 'rich', 'watchfiles')"
        " if m in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
