"""The wheel carries the images' sources: the same recipes and files from any folder, without the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab.backends.xen import toolbox
from lab.recipes import recipe

PROJECT = Path(__file__).parents[2]
ASK = """
from lab import assets
from lab.backends.xen.toolbox import GUEST, recipe as xen
from lab.recipes import recipe
from lab.chaos import find, load
from lab.chaos.report import page
page._environment().get_template("page.html.j2")
from lab.page.routes import STATIC
assert {"page.html", "page.css", "page.js", "store.js"} <= {path.name for path in STATIC.iterdir()}
print(assets.images(), recipe("http-lb", "centos").tag, xen(GUEST).tag, load(find("web-node-dies")).name)
"""


@pytest.mark.slow("builds a wheel")
def test_recipes_are_the_same_from_the_wheel(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(PROJECT),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "installed")},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    where, tag, guest, scenario = done.stdout.split()
    assert scenario == "web-node-dies"
    assert where.startswith(str(tmp_path))
    assert tag == recipe("http-lb", "centos").tag
    assert guest == toolbox.recipe(toolbox.GUEST).tag
