"""The cluster under Docker Compose: a real Compose brings it up."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab.backends.docker.backend import DockerBackend
from lab.evidence import until
from lab.export import compose
from lab.lifecycle import resolve, secrets
from lab.lifecycle.ready import READY_SECONDS
from lab.lifecycle.resolve import offline
from lab.lifecycle.trial import trial
from lab.plan import Plan, plan
from lab.recipes import recipe
from lab.topology import Cluster, find, load, parse
from tests import free

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = f"labtest-{os.getpid()}"
UP_SECONDS = 120
SHELL = """
web: {count: 1}
http-lb: {count: 1}
tcp-lb: {count: 2}
storage: {count: 3}
shell: {count: 1}
"""
"""What leads to the site, and the node whose mounts meet bricks that are not up yet."""

APPS = """
web: {count: 1}
http-lb: {count: 1}
mysql: {count: 1}
apps:
  shop:
    build: %s
    port: 8000
    count: 2
    health: /healthz
    env: {NOTE: "it's a test"}
    database: true
    writable: [/var/lib/shop]
"""


class Project:
    """A cluster under Compose, in a folder."""

    def __init__(self, command: list[str], folder: Path, made: Plan) -> None:
        self.command, self.folder, self.made = command, folder, made
        ports = {compose.variable(entry): str(free.port()) for node in made.nodes for entry in node.publish}
        self.environment = {**os.environ, **ports}

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """A command of Compose."""
        return subprocess.run(
            [*self.command, "-p", PROJECT, *argv],
            cwd=self.folder,
            env=self.environment,
            check=False,
            text=True,
            capture_output=True,
            timeout=UP_SECONDS,
        )

    def inside(self, node: str, *argv: str) -> subprocess.CompletedProcess[str]:
        """A command in a node."""
        return self.run("exec", "-T", node, *argv)

    def ask(self, url: str, *options: str) -> subprocess.CompletedProcess[str]:
        """A request of the client."""
        return self.inside("client", "curl", "-sS", "--cacert", "/etc/lab/ca.crt", *options, url)


def _command() -> list[str]:
    """Whichever Compose is here: the package `docker-compose`, or the engine's plugin."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True)
    if plugin.returncode != 0:
        pytest.skip("no Compose on this machine: apt-get install docker-compose")
    return ["docker", "compose"]


@contextlib.contextmanager
def _project(spec: Cluster, folder: Path) -> Iterator[Project]:
    """The cluster, from the files that `lab compose` writes; ended with all of it."""
    command = _command()
    engine = DockerBackend(PROJECT)
    (network,) = free.networks(engine)
    spec = resolve.apps(spec.model_copy(update={"network": network, "family": "debian"}), engine)
    made = plan(*offline(spec))
    images = [made.apps.get(role) or recipe(role, made.family) for role in made.images]
    engine.build(images, lambda *_: None, lambda role: trial(role, made.family))
    engine.api.close()
    folder.mkdir()
    document = compose.document(made)
    for image in images:  # the short name may be another checkout's by now
        document = document.replace(f"image: {image.alias}\n", f"image: {image.tag}\n")
    (folder / "compose.yaml").write_text(document, encoding="utf-8")
    for place, text in compose.files(made).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")
    for place, text in compose.secret_files(made, secrets.ensure(made)).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).touch(0o600)  # sshd refuses a host key that others may read
        (folder / place).write_text(text, encoding="utf-8")
        (folder / place).chmod(compose.mode(made, place))
    project = Project(command, folder, made)
    try:
        began = project.run("up", "-d")
        assert began.returncode == 0, began.stderr
        yield project
    finally:
        project.run("down", "-v", "--timeout", "0")


@pytest.mark.parametrize(
    "topology",
    [
        "shell",
        pytest.param("full", marks=pytest.mark.nightly("eighteen nodes, two minutes; at every change nine")),
    ],
)
def test_a_real_compose_reaches_the_site_through_the_vip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, topology: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    spec = load(find("full")) if topology == "full" else parse(SHELL)
    with _project(spec, tmp_path / "compose") as project:
        check = lambda: project.inside("client", "/usr/lib/lab/ready", "check.d")  # noqa: E731
        until("the site on the VIP, without any lab command", 60, check, lambda done: done.returncode == 0)
        ready = lambda: project.inside("shell1", "/usr/lib/lab/ready")  # noqa: E731
        until("shell1 to be ready", READY_SECONDS, ready, lambda done: done.returncode == 0)
        said = project.ask("https://www.www.test/whoami")
        client = next(node.address for node in project.made.nodes if node.name == "client")
        assert f'"client":"{client}"' in said.stdout, said.stderr


def test_an_application_under_compose_has_its_database_and_its_secrets_are_in_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    shop = request.config.rootpath / "tests/cluster/topologies/apps/shop"
    (tmp_path / "cluster.yaml").write_text(APPS % shop, encoding="utf-8")
    with _project(load(tmp_path / "cluster.yaml"), tmp_path / "compose") as project:
        here = "https://shop.www.test"
        facts = until("the shop", 90, lambda: project.ask(f"{here}/"), lambda done: done.stdout.startswith("{"))
        told = json.loads(facts.stdout)
        assert (told["note"], told["user"] > 0, told["privileges"]) == ("it's a test", True, "1")
        order = lambda: project.ask(f"{here}/orders", "-d", "id=one", "-w", "%{http_code}")  # noqa: E731
        until("an order in the database", 60, order, lambda done: done.stdout == "201")
        assert project.ask(f"{here}/orders").stdout == '["one"]'
        for node in ("shop1", "shop2"):
            until(
                f"{node} to be ready",
                30,
                partial(project.inside, node, "/usr/lib/lab/ready"),
                lambda done: not done.returncode,
            )
        assert project.inside("shop1", "/usr/lib/lab/bin/touch", "/srv/x").returncode, "its files are read only"
        assert project.inside("shop1", "/usr/lib/lab/bin/touch", "/var/lib/shop/x").returncode == 0
        password = secrets.known("www", "mysql-app-shop")
        assert password
        identity = project.run("ps", "-q", "shop1").stdout.strip()
        shown = subprocess.run(["docker", "inspect", identity], capture_output=True, text=True, check=True).stdout
        assert password not in shown
        assert "DATABASE_URL" not in shown
        assert password not in project.inside("shop1", "/usr/lib/lab/bin/sh", "-c", "cat /proc/*/cmdline").stdout
        assert password in project.inside("shop1", "/usr/lib/lab/bin/cat", "/proc/1/environ").stdout
