"""APP on the command line: what is found, and what is said when it is not."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framework.cli.loading import AppNotFound, load_app, module_file
from framework.cli.main import cli


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The current folder, empty; modules imported from it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def test_module_of_the_current_folder_with_one_app_needs_no_variable(folder: Path) -> None:
    (folder / "loading_one.py").write_text('from framework import App\nx = y = App("one")\n')
    assert load_app("loading_one").id == "one"


def test_variable_chooses_among_several_apps(folder: Path) -> None:
    (folder / "loading_two.py").write_text('from framework import App\na = App("a")\nb = App("b")\n')
    assert load_app("loading_two:b").id == "b"


@pytest.mark.parametrize(
    ("target", "files", "message"),
    [
        pytest.param(
            "loading_none:app",
            {},
            'there is no module "loading_none" to be found from {folder}: APP is package.module:variable.',
            id="no such module",
        ),
        pytest.param(
            "loading_none.inner",
            {},
            'there is no module "loading_none.inner" to be found from {folder}: APP is package.module:variable.',
            id="no such package",
        ),
        pytest.param(
            "shop/app.py",
            {},
            'there is no module "shop/app.py" to be found from {folder}: APP is package.module:variable, as in '
            "apps.wordcount.app:app, not a path.",
            id="a path",
        ),
        pytest.param(
            "loading_a",
            {"loading_a.py": "x = 1\nimport loading_missing\n"},
            "{folder}/loading_a.py:2: loading_a cannot be imported: "
            "ModuleNotFoundError: No module named 'loading_missing'.",
            id="the module misses another",
        ),
        pytest.param(
            "loading_b",
            {"loading_b.py": "import loading_c\n", "loading_c.py": "\n\n1 / 0\n"},
            "{folder}/loading_c.py:3: loading_b cannot be imported: ZeroDivisionError: division by zero.",
            id="an error where the module leads",
        ),
        pytest.param(
            "loading_d",
            {"loading_d.py": "x = 1\nx = = 2\n"},
            "{folder}/loading_d.py:2: loading_d cannot be imported: "
            "SyntaxError: invalid syntax (loading_d.py, line 2).",
            id="a syntax error",
        ),
        pytest.param(
            "loading_e",
            {"loading_e.py": "x = 1\n"},
            'loading_e has no App: declare one, as in app = App("loading_e").',
            id="no App",
        ),
        pytest.param(
            "loading_f",
            {"loading_f.py": 'from framework import App\na = App("a")\nb = App("b")\n'},
            "loading_f has 2 Apps: say which one (loading_f:a, loading_f:b).",
            id="several Apps",
        ),
        pytest.param(
            "loading_g:x",
            {"loading_g.py": 'from framework import App\na = App("a")\nx = 1\n'},
            "x in loading_g is a int, not an App (loading_g:a).",
            id="not an App",
        ),
        pytest.param(
            "loading_h:x",
            {"loading_h.py": ""},
            "x in loading_h does not exist, and there is no other App in it.",
            id="no such variable",
        ),
    ],
)
def test_app_that_cannot_be_had_says_why(folder: Path, target: str, files: dict[str, str], message: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(AppNotFound) as raised:
        load_app(target)
    assert str(raised.value) == message.format(folder=folder)


def test_declaration_error_in_the_module_keeps_its_own_words(folder: Path) -> None:
    (folder / "loading_i.py").write_text('from framework import App\napp = App("no blanks please")\n')
    answer = CliRunner().invoke(cli, ["describe", "loading_i"])
    assert answer.exit_code == 2
    assert answer.stderr.startswith("penstock: loading_i.py:2: 'no blanks please' cannot be an app's id")


def test_file_of_a_module_is_found_without_importing_it(folder: Path) -> None:
    (folder / "loading_j.py").write_text("raise SystemExit\n")
    assert module_file("loading_j:app") == folder / "loading_j.py"
