"""'Your container behind the balancers' and 'What does my application lose?': each command as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^```(?:yaml|dockerfile|python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"^# (\S+\.\w+|\S+/Dockerfile)\n")
SECONDS = 1200


def _blocks(page: str) -> list[tuple[str, str]]:
    """Files by their names, and commands without one, in the order of the page."""
    found = []
    for text in BLOCK.findall((DOCS / page).read_text(encoding="utf-8")):
        named = NAMED.match(text)
        found.append((named[1], text[named.end() :]) if named else ("", text))
    return found


def _play(page: str, folder: Path, environment: dict[str, str]) -> dict[str, subprocess.CompletedProcess[str]]:
    """Writes the files and runs the commands; after each block of them the program has changed."""
    done = {}
    for name, text in _blocks(page):
        if name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            continue
        for line in text.splitlines():
            argv = ["bash", "-c", line]
            ran = subprocess.run(
                argv, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
            )
            assert ran.returncode == 0 or line == "lab status", f"{line}: {ran.stdout}{ran.stderr}"
            done[line] = ran
        with (folder / "shop/shop.py").open("a", encoding="utf-8") as program:
            program.write("# changed\n")
    return done


@pytest.mark.nightly("makes a cluster of its own, and breaks everything of it under a ledger: ten minutes")
def test_the_commands_of_both_pages(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--backend") != "docker":
        pytest.skip("its cluster has more nodes than five domains")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LAB_NAME": f"own-{os.getpid()}"}
    environment |= {"LAB_FAMILY": str(request.config.getoption("--family") or "auto")}
    first = _play("apps.md", tmp_path, environment)
    assert "recreate" in first["lab plan"].stdout
    assert "served by shop2" in first["lab load --site shop --path /orders --for 3s"].stdout
    second = _play("losses.md", tmp_path, environment)
    (table,) = [ran.stdout for line, ran in second.items() if line.startswith("lab chaos run any")]
    assert "kill shop1" in table
    assert "kill mysql1" in table


def test_both_pages_have_files_and_commands() -> None:
    assert {name for name, _ in _blocks("apps.md")} == {"", "cluster.yaml", "shop/Dockerfile", "shop/shop.py"}
    assert {name for name, _ in _blocks("losses.md")} == {"", "my_orders.py", "test_orders.py"}
    blocks = [text for page in ("apps.md", "losses.md") for name, text in _blocks(page) if not name]
    commands = "".join(blocks).splitlines()
    assert len(commands) >= 14
