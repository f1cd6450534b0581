"""Modules and functions stay short enough to be read at once."""

from __future__ import annotations

import ast
from pathlib import Path

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


def _long_modules(files: dict[str, Path]) -> list[str]:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in files.items()}
    return [f"{name}: {lines} lines; split it by noun" for name, lines in lengths.items() if lines > MODULE_LINES]


def _long_functions(files: dict[str, Path]) -> list[str]:
    return [
        f"{name}:{node.lineno}: {node.name} has {lines} lines"
        for name, path in files.items()
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and node.end_lineno
        if (lines := node.end_lineno - node.lineno + 1) > FUNCTION_LINES
    ]


def test_modules_have_few_lines() -> None:
    long = _long_modules(FILES)
    assert not long, "\n".join(long)


def test_functions_have_few_lines() -> None:
    long = _long_functions({name: FILES[name] for name in PROGRAMS})
    assert not long, "\n".join(long)


def test_long_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("\n\ndef long():\n" + "    a = 1\n" * 50 + "b = 1\n" * 400, encoding="utf-8")
    files = {"x.py": tmp_path / "x.py"}
    assert _long_modules(files) == ["x.py: 453 lines; split it by noun"]
    assert _long_functions(files) == ["x.py:3: long has 51 lines"]


def test_files_are_found() -> None:
    assert len(PROGRAMS) > 200
    assert "lab/cli/main.py" in FILES
