"""Engines of the tests' own, beside the one of this machine: each with its own data, network and socket."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import docker
from lab.evidence import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LAB = str(Path(sys.executable).with_name("lab"))
COMMAND_SECONDS = 300
START_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class Lab:
    """The command on an engine, with the secrets and notes of a folder.

    Attributes:
        url: the engine's.
        folder: where it runs, and keeps what it keeps.
    """

    url: str
    folder: Path

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a verb; its output is whole lines."""
        kept = {f"XDG_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("STATE", "DATA", "CACHE")}
        return subprocess.run(
            [LAB, *arguments],
            cwd=self.folder,
            env={**os.environ, "DOCKER_HOST": self.url, **kept},
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def made_nothing(self) -> None:
        """No image, container, volume or network of the lab is there."""
        client = docker.APIClient(base_url=self.url, version="1.41")
        try:
            assert not client.images()
            assert not client.containers(all=True)
            assert not client.volumes()["Volumes"]
            assert {network["Name"] for network in client.networks()} <= {"bridge", "host", "none", "podman"}
        finally:
            client.close()


@contextmanager
def memory_disk(folder: Path, size: str) -> Iterator[Path]:
    """A small disk of its own, of memory, such as `1g`; skips where none may be mounted."""
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "lab-test", str(folder)], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"a disk of its own can't be mounted: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--recursive", str(folder)], check=True)


@contextmanager
def dockerd(folder: Path, data: Path) -> Iterator[str]:
    """The URL of a second dockerd, in a network of its own that leads nowhere: its rules touch nobody else's."""
    if os.geteuid() != 0 or not shutil.which("dockerd") or not shutil.which("unshare"):
        pytest.skip("a second dockerd needs root, dockerd and unshare")
    url = f"unix://{folder / 'docker.sock'}"
    paths = ["--data-root", str(data), "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid")]
    with started(["unshare", "--net", "dockerd", *paths, "--host", url], folder / "dockerd.log", url):
        yield url


@contextmanager
def started(argv: Sequence[str], log: Path, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """An engine that answers, and is ended with all that it started; skips where it can't be had, with what it said."""
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    try:
        until(f"an engine at {url}", START_SECONDS, lambda: process.poll() is not None or _answers(url))
        if process.poll() is not None:
            said = log.read_text(errors="replace").strip().splitlines()
            pytest.skip(f"{' '.join(argv[:3])} does not run here: {said[-1] if said else process.returncode}")
        yield process
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _answers(url: str) -> bool:
    with socket.socket(socket.AF_UNIX) as asked:
        asked.settimeout(START_SECONDS)
        try:
            asked.connect(url.removeprefix("unix://"))
            asked.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in asked.recv(64)
        except OSError:
            return False
