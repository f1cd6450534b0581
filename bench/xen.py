"""The nested Xen host and a cluster of five domains on it, beside the goals for two cores under emulation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import failover
from bench.figures import Figure, figure, seconds
from lab.backends import backend
from lab.backends.xen.nested import machine
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.testing import LabCluster
from lab.topology import Placement, find, load

LAB = str(Path(sys.executable).with_name("lab"))
NAME = f"labbench-{os.getpid()}-xen"
SOURCES = Path(__file__).parents[1]
HOST_SECONDS, FIVE_SECONDS, CHANGE_SECONDS = 15.0, 60.0, 30.0
RUN_SECONDS = 600
BOOTS = 5


def run(runs: int) -> list[Figure]:
    """Boots of the host first, and more of them: they are cheap."""
    host = [_booted() for _ in range(runs if runs == 1 else max(runs, BOOTS))]
    _lab("up")  # makes the disks
    five = [_five() for _ in range(runs)]
    change = [_changed() for _ in range(runs)]
    _lab("down", "--volumes")
    return [
        figure("lab xen host up, its disk made before", "s", host, f"≤ {HOST_SECONDS:g} s", HOST_SECONDS),
        figure("lab up of five domains, disks made before, ready", "s", five, f"≤ {FIVE_SECONDS:g} s", FIVE_SECONDS),
        figure(
            "a changed web image, until its domain is ready", "s", change, f"≤ {CHANGE_SECONDS:g} s", CHANGE_SECONDS
        ),
    ]


def faults(runs: int) -> list[Figure]:
    """The same faults as on Docker, beside the formulas of the gentler checks."""
    made = backend(Placement("xen"), NAME)
    try:
        return failover.run(LabCluster(load(find("five"), name=NAME), made), runs)
    finally:
        down(made, Silent(), volumes=True)


def _booted() -> float:
    found = machine.running()
    if found:
        machine.down(found)
    return seconds(lambda: subprocess.run([LAB, "xen", "host", "up"], check=True, timeout=RUN_SECONDS))


def _five() -> float:
    _lab("down")
    return seconds(lambda: _lab("up"))


def _changed() -> float:
    """A script of the web role gets another line; the next `up` builds, makes a disk, and boots the domain anew."""
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as scratch:
        for part in ("lab", "images", "xen"):
            shutil.copytree(SOURCES / part, Path(scratch) / part)
        script = Path(scratch) / "images" / "web" / "rootfs" / "usr" / "lib" / "lab" / "httpd"
        script.write_text(script.read_text(encoding="utf-8") + f"# {os.urandom(4).hex()}\n", encoding="utf-8")
        there = {**_environment(), "PYTHONPATH": scratch}
        argv = [sys.executable, "-c", "from lab.cli.main import main; main()", "up", "--file", "five"]
        return seconds(lambda: subprocess.run(argv, env=there, cwd=scratch, check=True, timeout=RUN_SECONDS))


def _environment() -> dict[str, str]:
    return {**os.environ, "LAB_BACKEND": "xen", "LAB_NAME": NAME}


def _lab(verb: str, *options: str) -> None:
    file = ["--file", "five"] if verb == "up" else []
    subprocess.run(
        [LAB, verb, *file, *options], env=_environment(), check=True, capture_output=True, timeout=RUN_SECONDS
    )
