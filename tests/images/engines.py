"""Engines of the tests' own, beside the one of this machine: each with its own data, network and socket."""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest

from lab.evidence import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAME = f"labtest-{os.getpid()}-e"
LAB = str(Path(sys.executable).with_name("lab"))
ROOTLESS = Path("/usr/share/docker.io/contrib/dockerd-rootless.sh")  # as Debian ships it
NOBODY = pwd.getpwuid(65534)
COMMAND_SECONDS = 300
START_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class Lab:
    """The command on an engine, with the secrets and notes of a folder.

    Attributes:
        url: the engine's.
        folder: where it runs, and keeps what it keeps.
        family: of the nodes.
    """

    url: str
    folder: Path
    family: str = "debian"

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a verb; its output is whole lines."""
        kept = {f"XDG_{kind}_HOME": str(self.folder / kind.lower()) for kind in ("STATE", "DATA", "CACHE")}
        return subprocess.run(
            [LAB, *arguments],
            cwd=self.folder,
            env={**os.environ, "DOCKER_HOST": self.url, "LAB_FAMILY": self.family, "LAB_NAME": NAME, **kept},
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
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "lab-test", str(folder)], check=False, capture_output=True
    )
    if done.returncode != 0:
        pytest.skip(f"a disk of its own can't be mounted: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--recursive", str(folder)], check=True)


@contextmanager
def dockerd(folder: Path, data: Path) -> Iterator[str]:
    """The URL of a second dockerd, in a network of its own that leads nowhere: its rules touch nobody else's."""
    _needs("dockerd")
    url = f"unix://{folder / 'docker.sock'}"
    paths = ["--data-root", str(data), "--exec-root", str(folder / "exec"), "--pidfile", str(folder / "pid")]
    own = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    with started([*own, "dockerd", *paths, "--host", url], folder / "dockerd.log", url):
        yield url


@contextmanager
def started(
    argv: Sequence[str], log: Path, url: str, end: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
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
        process.send_signal(end)
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


@contextmanager
def podman(folder: Path, data: Path) -> Iterator[str]:
    """The URL of Podman's service, run by root, in namespaces of its own for network and mounts."""
    _needs("podman")
    url = f"unix://{folder / 'podman.sock'}"
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # above it, Podman's own default needs a right of its own
    settings = folder / "containers.conf"
    settings.write_text(
        f'[containers]\ndefault_ulimits = ["nofile={hard}:{hard}", "nproc=32768:32768"]\n'
        f'[network]\nnetwork_config_dir = "{folder / "networks"}"\n',
        encoding="utf-8",
    )
    paths = f"--root {data} --runroot {folder / 'run'} --tmpdir {folder / 'tmp'}"
    script = (
        "mkdir -p /var/lib/cni && mount -t tmpfs addresses /var/lib/cni && ip link set lo up &&"
        f" export CONTAINERS_CONF={settings} && {{ podman {paths} system service --time 0 {url} & wait; }}"
    )
    # Podman keeps a process for each command that was run in a container for five minutes: they end with the namespace.
    own = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with started([*own, "sh", "-c", script], folder / "podman.log", url, signal.SIGKILL):
        yield url


@contextmanager
def rootless_dockerd(folder: Path, data: Path) -> Iterator[str]:
    """The URL of a dockerd that the user nobody runs.

    What such a user needs of a machine is made in a mount namespace: numbers of its own, and the two devices that udev
    gives to everybody.
    """
    for program in ("dockerd", "rootlesskit", "newuidmap", "slirp4netns"):
        _needs(program)
    if not ROOTLESS.is_file():
        pytest.skip(f"{ROOTLESS} is not here")
    folder.chmod(0o755)
    home, run, numbers = folder / "home", folder / "run", folder / "numbers"
    for made in (home, run, data):
        made.mkdir(exist_ok=True)
        os.chown(made, NOBODY.pw_uid, NOBODY.pw_gid)
        made.chmod(0o711)  # whoever asks how much is free has to look through
    numbers.write_text(f"{NOBODY.pw_name}:100000:65536\n", encoding="utf-8")
    url = f"unix://{run / 'docker.sock'}"
    devices = [
        f"mknod -m 666 {folder}/dev/{name} c {major} {minor} && mount --bind {folder}/dev/{name} {path}"
        for name, path, major, minor in (("tun", "/dev/net/tun", 10, 200), ("fuse", "/dev/fuse", 10, 229))
    ]
    script = " && ".join(
        [
            f"mount --bind {numbers} /etc/subuid && mount --bind {numbers} /etc/subgid",
            f"mkdir {folder}/dev && mount -t tmpfs -o mode=755 devices {folder}/dev",
            *devices,
            (
                f"exec setpriv --reuid {NOBODY.pw_uid} --regid {NOBODY.pw_gid} --clear-groups"
                f" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME={home} XDG_RUNTIME_DIR={run} {ROOTLESS}"
                f" --data-root {data} --exec-root {run}/exec --pidfile {run}/pid --host {url}"
            ),
        ]
    )
    with started(["unshare", "--mount", "sh", "-c", script], folder / "dockerd.log", url):
        yield url


def no_groups(url: str) -> bool:
    """Whether an engine has no control groups, as its own client tells."""
    told = subprocess.run(
        ["docker", "--host", url, "info", "--format", "{{.CgroupDriver}}"], check=True, capture_output=True, text=True
    )
    return told.stdout.strip() == "none"


def copied(images: Sequence[str], url: str) -> None:
    """Gives an engine images of this machine's usual one."""
    _needs("docker")
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as given:
        taken = subprocess.run(
            ["docker", "--host", url, "load"], stdin=given.stdout, check=False, capture_output=True, text=True
        )
    assert (given.returncode, taken.returncode) == (0, 0), taken.stdout + taken.stderr


def _needs(program: str) -> None:
    if os.geteuid() != 0 or not shutil.which(program):
        pytest.skip(f"an engine of the tests' own needs root and {program}")
