"""The cluster under Docker Compose: a real Compose brings it up."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from lab.backends.docker.backend import DockerBackend
from lab.evidence import until
from lab.export import compose
from lab.lifecycle import secrets
from lab.lifecycle.resolve import offline
from lab.lifecycle.trial import trial
from lab.plan import Plan, plan
from lab.recipes import recipe
from lab.topology import find, load
from tests import free

if TYPE_CHECKING:
    from ipaddress import IPv4Network
    from pathlib import Path

PROJECT = f"labtest-{os.getpid()}"
UP_SECONDS = 120


def _plan(network: IPv4Network) -> Plan:
    spec = load(find("full")).model_copy(update={"network": network, "family": "debian"})
    return plan(*offline(spec))


def _command() -> list[str]:
    """Whichever Compose is here: the package `docker-compose`, or the engine's plugin."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True)
    if plugin.returncode != 0:
        pytest.skip("no Compose on this machine: apt-get install docker-compose")
    return ["docker", "compose"]


def test_a_real_compose_reaches_the_site_through_the_vip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = _command()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    engine = DockerBackend(PROJECT)
    made = _plan(*free.networks(engine))
    images = [recipe(role, made.family) for role in made.images]
    engine.build(images, lambda *_: None, lambda role: trial(role, made.family))
    engine.api.close()
    folder = tmp_path / "compose"
    folder.mkdir()
    document = compose.document(made)
    for image in images:  # the short name may be another checkout's by now
        document = document.replace(f"image: {image.alias}\n", f"image: {image.tag}\n")
    (folder / "compose.yaml").write_text(document, encoding="utf-8")
    for mode, files in ((0o644, compose.files(made)), (0o600, compose.secret_files(made, secrets.ensure(made)))):
        for place, text in files.items():
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).touch(mode)  # sshd refuses a host key that others may read
            (folder / place).write_text(text, encoding="utf-8")
    ports = {compose.variable(entry): str(free.port()) for node in made.nodes for entry in node.publish}

    def run(*argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "-p", PROJECT, *argv],
            cwd=folder,
            env={**os.environ, **ports},
            check=False,
            text=True,
            capture_output=True,
            timeout=UP_SECONDS,
        )

    try:
        began = run("up", "-d")
        assert began.returncode == 0, began.stderr
        check = ("exec", "-T", "client", "/usr/lib/lab/ready", "check.d")
        until(
            "the site on the VIP, without any lab command", 60, lambda: run(*check), lambda done: done.returncode == 0
        )
        ready = ("exec", "-T", "shell1", "/usr/lib/lab/ready")
        until("shell1 to be ready", 60, lambda: run(*ready), lambda done: done.returncode == 0)
        said = run("exec", "-T", "client", "curl", "-sS", "--cacert", "/etc/lab/ca.crt", "https://www.www.test/whoami")
        client = next(node.address for node in made.nodes if node.name == "client")
        assert f'"client":"{client}"' in said.stdout, said.stderr
    finally:
        run("down", "-v", "--timeout", "2")
