"""Every rendered file of a cluster and every recipe, as last looked at: Debian's whole, of CentOS what differs.

`LAB_GOLDEN=write pytest tests/unit/test_golden.py` writes them; read the difference before committing it.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from lab.plan import plan
from lab.recipes import families, recipe, roles
from lab.topology import parse
from tests.unit.conftest import WHOLE

GOLDEN = Path(__file__).parent / "golden"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHCh1hxZ8p5qYvRk4d6WUOHIfC3dBvM7H47ukImmxJjd"
EVERY_ROLE = f"{WHOLE}shell: {{}}\nusers: {{ann: {{keys: [{KEY}]}}}}\n"
NODES = ["web1", "http-lb1", "tcp-lb1", "storage1", "mysql1", "mail1", "shell1", "backup1", "client"]


def _compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("LAB_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def _rendered(node: str, family: str) -> str:
    files = plan(parse(EVERY_ROLE), family).node(node).files
    return "".join(f"==> {file.path} {file.mode:o} <==\n{file.masked}\n" for file in files)


def _unlike(one: str, other: str) -> str:
    """The lines that two texts do not share, in order."""
    lines = difflib.unified_diff(one.splitlines(), other.splitlines(), n=0, lineterm="")
    return "".join(f"{line}\n" for line in lines if not line.startswith(("---", "+++", "@@")))


@pytest.mark.parametrize("node", NODES)
def test_rendered_files(node: str) -> None:
    _compare(node, _rendered(node, "debian"))


def test_what_differs_in_the_other_family() -> None:
    """Paths, users and modules of the family's table: nothing else."""
    unlike = {node: _unlike(_rendered(node, "debian"), _rendered(node, "centos")) for node in NODES}
    _compare("in-centos", "".join(f"==> {node} <==\n{lines}\n" for node, lines in unlike.items() if lines))


def test_every_role_has_a_node_here() -> None:
    assert {node.role for node in plan(parse(EVERY_ROLE), "debian").nodes} == set(roles())
    assert {name.rstrip("0123456789") for name in NODES} == set(roles())


def test_no_golden_is_left_over() -> None:
    wanted = {*NODES, "in-centos"}
    wanted |= {f"recipe-{role}-{family}" for role in ["base", *roles()] for family in families()}
    assert {path.stem for path in GOLDEN.iterdir()} == wanted


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("role", ["base", *roles()])
def test_recipes(role: str, family: str) -> None:
    made = recipe(role, family)
    # The parent's digest changes with every package; it is not what is looked at here.
    dockerfile = made.dockerfile.replace(made.parent, made.parent.rpartition("-")[0] if role != "base" else made.parent)
    shown = {name: entry for name, entry in made.context.items() if name.startswith("rootfs/etc/lab/")}
    files = "".join(f"==> {name} <==\n{entry.content.decode()}\n" for name, entry in sorted(shown.items()))
    _compare(f"recipe-{role}-{family}", f"{dockerfile}\n{files}")
