"""A million words of real English that every Python installation has: its own documentation.

The language reference (`pydoc_data.topics`) and the docstrings of the standard library's modules, in the order of
their names; packages are left out, for parsing them takes longer than counting their words.
Sources are parsed, never imported, so nothing of them runs. The same Python always gives the same corpus.
"""

import ast
import sysconfig
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

_HAS_DOCSTRING = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def corpus(words: int) -> list[str]:
    """Lines of text with at least so many words; the documentation is repeated as often as that takes.

    Args:
        words: how many at least; the line that reaches this number is the last one.
    """
    lines: list[str] = []
    count = 0
    for line in _endless():
        lines.append(line)
        count += len(line.split())
        if count >= words:
            break
    return lines


def _endless() -> Iterator[str]:
    """The documentation, read only as far as it is asked for, then again from its beginning."""
    seen: list[str] = []
    for line in _documentation():
        seen.append(line)
        yield line
    yield from cycle(seen)


def _documentation() -> Iterator[str]:
    """The lines that hold at least one word."""
    from pydoc_data.topics import topics

    for name in sorted(topics):
        yield from filter(str.strip, topics[name].splitlines())
    for text in _docstrings(Path(sysconfig.get_path("stdlib"))):
        yield from filter(str.strip, text.splitlines())


def _docstrings(folder: Path) -> Iterator[str]:
    """The docstrings of the modules in a folder, in the order of their names."""
    for path in sorted(folder.glob("*.py")):
        yield from _docstrings_in(ast.parse(path.read_bytes()))


def _docstrings_in(node: ast.AST) -> Iterator[str]:
    """Those of a module, then of its classes and functions as they come; expressions are not searched."""
    if isinstance(node, _HAS_DOCSTRING):
        text = ast.get_docstring(node)
        if text is not None:
            yield text
        for child in node.body:
            yield from _docstrings_in(child)
