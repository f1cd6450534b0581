"""The Python files of the project as trees, each read once by a process: many tests go through all of them."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@cache
def tree(path: Path) -> ast.Module:
    """A file, parsed. Whoever changes it changes it for all tests."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All nodes of a file, as `ast.walk` has them."""
    found: list[ast.AST] = [tree(path)]
    for node in found:  # as `ast.walk`, in a third of its time
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                found += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return tuple(found)
