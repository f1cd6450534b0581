"""A name means one thing: a public class has one of its own in `lab/`, and nothing is imported as another."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.sources import nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

LAB = Path(__file__).parents[2] / "lab"
VERBS = LAB / "cli"  # a verb is a function of the same name as what it calls


def _nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Each node of the lab, with its file."""
    for path in LAB.rglob("*.py"):
        yield from ((path, node) for node in nodes(path))


def test_a_class_has_a_name_of_its_own() -> None:
    places = defaultdict(list)
    for path, node in _nodes():
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            places[node.name].append(str(path.relative_to(LAB)))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_nothing_of_the_lab_is_imported_as_another() -> None:
    renamed = []
    for path, node in _nodes():
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lab") and VERBS not in path.parents:
            renamed += [f"{path.name}: {each.name} as {each.asname}" for each in node.names if each.asname]
    assert renamed == []


def test_no_module_hides_one_of_python() -> None:
    own = {"secrets", "random", "time", "json"}
    hidden = []
    for path, node in _nodes():
        if isinstance(node, ast.Import):
            hidden += [f"{path.name}: {each.asname}" for each in node.names if each.asname in own]
    assert hidden == []
