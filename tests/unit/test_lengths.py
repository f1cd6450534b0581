"""Modules and functions stay short enough to be read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.unit.sources import nodes

ROOT = Path(__file__).parents[2]
MODULE_LINES = 400
FUNCTION_LINES = 50

FILES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in ("lab", "images", "tests", "bench")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
PROGRAMS = [name for name in FILES if name.startswith(("lab/", "images/"))]


@pytest.mark.parametrize("name", FILES)
def test_a_module_has_few_lines(name: str) -> None:
    lines = len(FILES[name].read_text(encoding="utf-8").splitlines())
    assert lines <= MODULE_LINES, "split it by noun"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_function_has_few_lines(name: str) -> None:
    functions = [
        (node.name, node.end_lineno - node.lineno + 1)
        for node in nodes(FILES[name])
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    ]
    assert [(function, lines) for function, lines in functions if lines > FUNCTION_LINES] == []


def test_files_are_found() -> None:
    assert len(PROGRAMS) > 200
    assert "lab/cli/main.py" in FILES
