"""Variables, parameters, functions and attributes have the noun of their value: not 'found', 'made' or 'said'."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit import sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


ROOT = Path(__file__).parents[2]
EMPTY = frozenset({"asked", "found", "given", "here", "it", "kept", "made", "said", "seen", "told", "wanted"})

FILES = [path for folder in ("lab", "images") for path in sorted((ROOT / folder).rglob("*.py"))]


def empty(nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and name of each definition without a noun."""
    for node in nodes:
        if isinstance(node, ast.arg):
            name = node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            name = node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            name = node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = node.name
        else:
            continue
        if name.strip("_") in EMPTY:
            yield node.lineno, name


def test_names_are_nouns() -> None:
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {name}"
        for path in FILES
        for line, name in empty(sources.nodes(path))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text", ["found = 1", "def f(told): ...", "lambda asked: 1", "self._said = 1", "def kept(): ...", "seen: int"]
)
def test_an_empty_name_is_recognized(text: str) -> None:
    assert list(empty(ast.walk(ast.parse(text))))


def test_files_are_found() -> None:
    assert len(FILES) > 200
