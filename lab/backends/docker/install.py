"""Gets a Docker engine running: the one that is there, else the distribution's own. A running one is never touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import paths
from lab.backends.docker import engine, origin
from lab.errors import BackendError, HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START_SECONDS = 60
INSTALL_SECONDS = 600
REGISTRY_SECONDS = 3.0
PID_FILE = Path("/var/run/docker.pid")
BY_HAND = "install Docker (https://docs.docker.com/engine/install/), start it, and run this again"


def ensure(say: Callable[[str], None]) -> None:
    """Leaves a Docker engine that answers, and the means to make a base image.

    Raises:
        HostError: it can't be had here without a person; says what to install.
    """
    if not _answers():
        if os.environ.get("DOCKER_HOST"):
            raise HostError(
                "no Docker engine answers at DOCKER_HOST",
                where=os.environ["DOCKER_HOST"],
                next_step="start it, or unset DOCKER_HOST",
            )
        if not shutil.which("dockerd"):
            _install(["docker.io"], "no Docker engine is installed", say)
        _start(say)
    with engine.connected(engine.REQUEST_SECONDS) as api:
        base = origin.here(api, origin.tag("debian")) or origin.available(api, "debian", REGISTRY_SECONDS)
    if not base and not shutil.which("mmdebstrap"):
        _install(["mmdebstrap"], "no container registry answers, and the base has to be made here", say)


def _answers() -> bool:
    try:
        with engine.connected(5):
            pass
    except HostError:
        return False
    return True


def _install(packages: Sequence[str], why: str, say: Callable[[str], None]) -> None:
    """Installs the distribution's packages, on Debian and Ubuntu as root; elsewhere says what to do."""
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        asked = f"as root: apt-get install {' '.join(packages)}" if apt else BY_HAND
        raise HostError(why, next_step=asked)
    say(f"{why}: installing {', '.join(packages)} from this machine's package sources")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ([apt, "update", "-q"], [apt, "install", "-qy", "--no-install-recommends", *packages]):
        done = subprocess.run(  # noqa: S603  the packages are this module's own
            command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode != 0:
            raise HostError(f"'{' '.join(command)}' failed:\n{(done.stdout + done.stderr)[-800:]}", next_step=BY_HAND)


def _start(say: Callable[[str], None]) -> None:
    """Starts the installed engine: by systemd where that runs, else as a process of its own."""
    if os.geteuid() != 0:
        raise HostError("the Docker engine is installed and not running", next_step="as root: systemctl start docker")
    log = paths.logs() / "dockerd.log"
    if Path("/run/systemd/system").is_dir():
        say("starting the Docker engine (systemctl start docker)")
        subprocess.run(["systemctl", "start", "docker"], check=False, timeout=START_SECONDS)  # noqa: S607
    else:
        _drop_stale_pid(say)
        say(f"starting the Docker engine (dockerd, log in {log})")
        with log.open("ab") as output:
            subprocess.Popen(
                ["dockerd"],  # noqa: S607  found on the PATH before
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
    deadline = time.monotonic() + START_SECONDS
    while not _answers():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-800:] if log.is_file() else ""
            raise BackendError(
                f"the Docker engine did not answer within {START_SECONDS} s:\n{tail}", next_step=f"read {log}"
            )
        time.sleep(0.2)


def _drop_stale_pid(say: Callable[[str], None]) -> None:
    """Dockerd refuses to start while its pid file names a living process, whatever that process is by now."""
    if not PID_FILE.is_file():
        return
    pid = PID_FILE.read_text(encoding="ascii").strip()
    name = Path(f"/proc/{pid}/comm")
    if name.is_file() and name.read_text(encoding="utf-8").strip() == "dockerd":
        return
    say(f"removing the stale pid file {PID_FILE} (process {pid} is no dockerd)")
    PID_FILE.unlink()
