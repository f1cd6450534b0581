"""Every rendered file of the default cluster and every recipe, for both families, as they were last looked at.

`LAB_GOLDEN=write pytest tests/unit/test_golden.py` writes them anew; read the difference before committing it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.plan import plan
from lab.recipes import families, recipe, roles
from lab.spec import parse
from tests.unit.conftest import WHOLE

GOLDEN = Path(__file__).parent / "golden"
ONE_OF_EACH = ["web1", "http-lb1", "tcp-lb1", "tcp-lb2", "storage1", "mysql1", "mail1", "client"]


def _compare(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("LAB_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("node", ONE_OF_EACH)
def test_rendered_files(node: str, family: str) -> None:
    files = plan(parse(WHOLE), family).node(node).files
    _compare(f"{node}-{family}", "".join(f"==> {file.path} {file.mode:o} <==\n{file.masked}\n" for file in files))


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("role", ["base", *roles()])
def test_recipes(role: str, family: str) -> None:
    made = recipe(role, family)
    # The parent's digest changes with every package; it is not what is looked at here.
    dockerfile = made.dockerfile.replace(made.parent, made.parent.rpartition("-")[0] if role != "base" else made.parent)
    shown = {name: entry for name, entry in made.context.items() if name.startswith("rootfs/etc/lab/")}
    files = "".join(f"==> {name} <==\n{entry.content.decode()}\n" for name, entry in sorted(shown.items()))
    _compare(f"recipe-{role}-{family}", f"{dockerfile}\n{files}")
