"""The corpus of the demo."""

from pathlib import Path

from apps.wordcount import corpus as module
from apps.wordcount.corpus import corpus


def test_corpus_stops_at_the_line_that_reaches_the_number_of_words() -> None:
    lines = corpus(500)
    words = [len(line.split()) for line in lines]
    assert sum(words) >= 500 > sum(words[:-1])


def test_corpus_is_the_same_every_time() -> None:
    assert corpus(2_000) == corpus(2_000)


def test_corpus_beyond_the_documentation_begins_again(monkeypatch) -> None:
    monkeypatch.setattr(module, "_documentation", lambda: iter(["one two", "three"]))
    assert corpus(7) == ["one two", "three", "one two", "three", "one two"]


def test_docstrings_come_by_name_and_place_without_packages_and_nothing_runs(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text(
        '"""Module b."""\ndef f():\n    """Function f."""\nclass C:\n    def m(self): "Method m."\n'
    )
    (tmp_path / "a.py").write_text('"""Module a."""\nx = "no docstring"\nraise SystemExit("imported")\n')
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "c.py").write_text('"""Module c."""')
    assert list(module._docstrings(tmp_path)) == ["Module a.", "Module b.", "Function f.", "Method m."]
