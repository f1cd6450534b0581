"""Gets a Docker engine running: the one that is there, else the distribution's own. A running one is never touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import engine, paths
from lab.building import base_image, bootstrap
from lab.engine import context
from lab.errors import BackendError, HostError, LabError, Refused
from lab.host import packages
from lab.host.findings import Finding
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Callable

START_SECONDS = 60
REGISTRY_SECONDS = 3.0
POLL_SECONDS = 0.2
ATTEMPTS = 3
PID_FILE = Path("/var/run/docker.pid")
BY_HAND = "install Docker (https://docs.docker.com/engine/install/), start it, and run this again"


def ensure(say: Callable[[str], None]) -> None:
    """Leaves a Docker engine that answers, and the means to make a base image.

    Raises:
        HostError: the user must install it; names the packages.
    """
    if not _answers():
        meant = context.endpoint()
        if meant.url != context.USUAL:
            raise HostError(
                "the Docker engine that is chosen does not answer",
                where=meant.url,
                next_step="start it, or choose another: DOCKER_HOST, DOCKER_CONTEXT, 'docker context use'",
            )
        if not shutil.which("dockerd"):
            packages.install(["docker.io"], "no Docker engine is installed", say, BY_HAND)
        _start(say)
    with engine.connected(engine.REQUEST_SECONDS) as api:
        base = base_image.present(api, base_image.tag("debian")) or base_image.available(
            api, "debian", REGISTRY_SECONDS
        )
    if not base and bootstrap.missing():
        why = "no container registry answers, and the base has to be made here"
        packages.install(bootstrap.PACKAGES, why, say, bootstrap.BY_HAND)


def programs() -> list[Finding]:
    """The programs that it is used by, and their places on the PATH."""
    return [
        Finding(
            "docker command",
            bool(shutil.which("docker")),
            shutil.which("docker") or "missing",
            "only 'lab enter' needs it",
        ),
        Finding(
            "mmdebstrap",
            bool(shutil.which("mmdebstrap")),
            shutil.which("mmdebstrap") or "missing",
            "needed only where no container registry answers; 'lab doctor --fix' installs it",
        ),
    ]


def findings() -> list[Finding]:
    """Finding about the base image; none if no engine answers."""
    try:
        with engine.connected(engine.REQUEST_SECONDS) as api:
            if base_image.present(api, recipe("base", "debian").tag) or base_image.present(
                api, base_image.tag("debian")
            ):
                return []
            pulled = base_image.available(api, "debian", REGISTRY_SECONDS)
    except LabError:
        return []
    why = "" if pulled else bootstrap.obstacle()
    detail = "a registry has it" if pulled else why or "can be made from package sources"
    return [
        Finding("base image", not why, detail, "see docs/hosts.md: a registry, or mmdebstrap with room", vital=True)
    ]


def _answers() -> bool:
    try:
        with engine.connected(5):
            pass
    except Refused:
        raise  # it runs: nothing is to be installed or started
    except HostError:
        return False
    return True


def _start(say: Callable[[str], None]) -> None:
    """Starts the installed engine, more than once: beside the remains of one that was killed the first try may fail."""
    if os.geteuid() != 0:
        raise HostError("the Docker engine is installed and not running", next_step="as root: systemctl start docker")
    log = paths.logs() / "dockerd.log"
    if not any(_comes_up(_launch(say, log)) for _ in range(ATTEMPTS)):
        tail = log.read_text(errors="replace")[-800:] if log.is_file() else ""
        raise BackendError(f"the Docker engine did not start:\n{tail}", next_step=f"read {log}")


def _launch(say: Callable[[str], None], log: Path) -> subprocess.Popen[bytes]:
    """By systemd where that runs, else as a process of its own."""
    if Path("/run/systemd/system").is_dir():
        say("starting the Docker engine (systemctl start docker)")
        return subprocess.Popen(["systemctl", "start", "docker"])  # noqa: S607  systemd runs, so it is there
    _drop_stale_pid(say)
    say(f"starting the Docker engine (dockerd, log in {log})")
    with log.open("ab") as output:
        return subprocess.Popen(
            ["dockerd"],  # noqa: S607  found on the PATH before
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def _comes_up(started: subprocess.Popen[bytes]) -> bool:
    """Whether the engine answers before it ends or the time is over."""
    deadline = time.monotonic() + START_SECONDS
    while not _answers():
        if started.poll() or time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _drop_stale_pid(say: Callable[[str], None], file: Path = PID_FILE) -> None:
    """A dockerd refuses to start while its pid file names any process, also that of another program."""
    if not file.is_file():
        return
    pid = file.read_text(encoding="ascii").strip()
    if _runs_dockerd(pid):
        return
    say(f"removing the stale pid file {file} (process {pid} is no running dockerd)")
    file.unlink()


def _runs_dockerd(pid: str) -> bool:
    """Whether a process is a dockerd that lives: one that was killed is there until its parent has noticed."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return False
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return fields["Name"].strip() == "dockerd" and not fields["State"].strip().startswith("Z")
