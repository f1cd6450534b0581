"""How a program of a node is started: nothing is imported from where a stranger may write."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lab import assets
from lab.recipes import families, recipe, roles

PROJECT = Path(__file__).parents[2]
RUN = "rootfs/usr/lib/lab/run"
LIBRARY = "rootfs/usr/lib/lab/python"


@pytest.fixture
def run(tmp_path: Path) -> list[str]:
    """The launcher with a folder of programs of its own."""
    text = (assets.images() / "base" / RUN).read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    assert first == "#!/usr/bin/python3 -I"
    programs = tmp_path / "python"
    (programs / "lab_node/told").mkdir(parents=True)
    (programs / "lab_node/told/words.py").write_text("import json, sys\nsaid = json.dumps(sys.argv[1:])\n")
    (programs / "lab_node/told/__main__.py").write_text("from .words import said\nprint(said)\n")
    (programs / "lab_node/short.py").write_text("if __name__ == '__main__':\n    raise SystemExit(3)\n")
    (tmp_path / "run").write_text(rest.replace("/usr/lib/lab/python", str(programs)))
    return [sys.executable, "-I", str(tmp_path / "run")]


def _asked(run: list[str], *words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*run, *words], check=False, cwd=cwd, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_a_package_and_a_module_are_run_with_their_arguments(run: list[str], tmp_path: Path) -> None:
    assert _asked(run, "lab_node.told", "a b", "c", cwd=tmp_path).stdout == '["a b", "c"]\n'
    assert _asked(run, "lab_node.short", cwd=tmp_path).returncode == 3


def test_nothing_is_imported_from_the_current_folder_or_the_environment(run: list[str], tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder / "lab_node").mkdir(parents=True)
        for name in ("json.py", "runpy.py", "sitecustomize.py", "lab_node/told.py", "lab_node/other.py"):
            (tmp_path / folder / name).write_text("print('a stranger speaks')\n")
    there = str(tmp_path / "there")
    done = _asked(run, "lab_node.told", cwd=tmp_path / "here", PYTHONPATH=there, PYTHONSTARTUP=f"{there}/json.py")
    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert _asked(run, "lab_node.other", cwd=tmp_path / "here", PYTHONPATH=there).returncode == 1


@pytest.mark.parametrize("family", families())
@pytest.mark.parametrize("role", roles())
def test_what_a_role_runs_is_in_its_image(role: str, family: str) -> None:
    """By the services and by the scripts of the role and the base."""
    context = recipe("base", family).context | recipe(role, family).context
    programs = [name for name in context if name.startswith(f"{LIBRARY}/")]
    scripts = [
        entry.content.decode(errors="replace") for name, entry in context.items() if not name.startswith(LIBRARY)
    ]
    wanted = {name for text in scripts for name in re.findall(r"/usr/lib/lab/run (lab_node\.\w+)", text)}
    assert wanted
    for name in wanted:
        path = f"{LIBRARY}/{name.replace('.', '/')}"
        assert f"{path}.py" in programs or f"{path}/__main__.py" in programs, name
    assert not [name for name in programs if not name.endswith(".py")]


def test_the_tools_see_each_folder_of_programs() -> None:
    """As CONTRIBUTING.md says: mypy and pytest are told of each."""
    told = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    there = {path.relative_to(PROJECT).as_posix() for path in (PROJECT / "images").rglob("usr/lib/lab/python")}
    assert set(told["mypy"]["mypy_path"]) == set(told["pytest"]["ini_options"]["pythonpath"]) == there
