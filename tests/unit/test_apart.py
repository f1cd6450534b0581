"""Two suites at once on one engine: nothing that the engine or this machine has once is named in a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SUITES = ("cluster", "compose", "images", "xen")
FIXED = {
    "a cluster's name": r"labtest(?!-\{os\.getpid\(\)\})",
    "a backend's cluster": r"\w+Backend\(\s*\"",
    "a Compose project": r"compose.*\"(?:-p|--project-name)\", \"",
    "a subnet": r"\b(?:10|172\.\d+|192\.168)\.\d+\.\d+(?:\.\d+)?/\d+",
    "a port of this machine": r"bind\(\(\"[^\"]*\", [1-9]|--port[\", =]+[\w-]+=\d|\bports: ?\{[^}]*\d|_PORT\W{1,4}\d",
    "a file of this machine": r"Path\(f?\"/(?:var/)?tmp",
}


def _found(text: str) -> list[str]:
    return [what for what, pattern in FIXED.items() if re.search(pattern, text)]


@pytest.mark.parametrize("suite", SUITES)
def test_no_suite_names_what_there_is_once(suite: str) -> None:
    files = sorted((Path(__file__).parents[1] / suite).rglob("*.py"))
    assert files
    assert {file.name: found for file in files if (found := _found(file.read_text(encoding="utf-8")))} == {}


def test_no_topology_of_the_tests_has_a_name() -> None:
    """Who loads one names it, by the process."""
    files = sorted(path for suite in SUITES for path in (Path(__file__).parents[1] / suite).rglob("*.yaml"))
    assert files
    assert [path.name for path in files if re.search(r"^name:", path.read_text(encoding="utf-8"), re.MULTILINE)] == []


@pytest.mark.parametrize("suite", ["cluster", "images", "xen"])
def test_who_loads_a_topology_names_the_cluster(suite: str) -> None:
    """The name of one that has none is `www`, the user's own. Compose's projects are named by its command."""
    nameless = [
        f"{path.name}:{node.lineno}"
        for path in sorted((Path(__file__).parents[1] / suite).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load"
        if not {"name", None} & {keyword.arg for keyword in node.keywords}
    ]
    assert nameless == []


@pytest.mark.parametrize(
    "line",
    [
        'DockerBackend("labtest-images")',
        'PROJECT = "labtest"',
        'backend = DockerBackend("mine")',
        'run("docker-compose", "-p", "mine")',
        'text = "network: 10.123.45.0/24"',
        'taken.bind(("127.0.0.1", 8080))',
        'lab("up", "--port", "site=8443")',
        '{"LAB_SITE_PORT": "18443"}',
        'topology = "ports: {site: 8443}"',
        'log = Path("/tmp/log")',
    ],
)
def test_what_is_named_is_found(line: str) -> None:
    assert _found(line)


@pytest.mark.parametrize(
    "line",
    [
        'PROJECT = f"labtest-{os.getpid()}"',
        'backend = DockerBackend(f"labtest-{os.getpid()}-f")',
        'taken.bind(("127.0.0.1", 0))',
        'lab("up", "--port", f"site={port}")',
        'run("client", "curl http://127.0.0.1:8404 > /tmp/x")',
    ],
)
def test_what_is_chosen_is_not(line: str) -> None:
    assert not _found(line)
