"""The documents keep up with the code."""

import re
from pathlib import Path

import pytest
import typer

from framework.cli.main import cli
from framework.config import Settings
from tests.architecture.sources import PACKAGES, ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "DESIGN.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = typer.main.get_command(cli).commands  # type: ignore[attr-defined]  # it is a group
FOLDERS = sorted(
    str(path.relative_to(ROOT)) + "/"
    for package in PACKAGES
    for path in [ROOT / package, *(ROOT / package).rglob("*")]
    if path.is_dir() and (path / "__init__.py").exists()
)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_and_its_options_are_in_the_manual(command: str) -> None:
    manual = (ROOT / "docs" / "cli.md").read_text()
    assert f"## penstock {command}\n" in manual
    part = manual.split(f"## penstock {command}\n")[1].split("\n## ")[0]
    options = [option for parameter in COMMANDS[command].params for option in parameter.opts if option.startswith("--")]
    assert [option for option in options if f"`{option}" not in part and option != "--help"] == []


def test_settings_are_in_the_manual() -> None:
    manual = (ROOT / "docs" / "cli.md").read_text()
    assert [name for name in Settings.model_fields if f"`{name}`" not in manual] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_file_map_names_every_package(folder: str) -> None:
    assert f"`{folder}`" in (ROOT / "DESIGN.md").read_text()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_and_links_of_a_document_exist(document: Path) -> None:
    text = document.read_text()
    paths = [ROOT / named for named in re.findall(r"`((?:serde|state|framework|apps|tests|docs)/[\w/.-]*)`", text)]
    links = [document.parent / link for link in re.findall(r"\]\((?!https?:)([^)#]+)", text)]
    assert [str(path) for path in paths + links if not path.exists()] == []


def test_program_of_the_readme_can_be_declared() -> None:
    program = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    space: dict[str, object] = {"__name__": "program"}
    exec(compile(program, "README.md", "exec"), space)
    app = space["app"]
    assert [topic.name for topic in app.plan().source_topics]  # type: ignore[attr-defined]
