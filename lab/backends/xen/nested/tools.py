"""What this machine needs for Xen: to reach a host, and to be one inside QEMU."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from lab.backends.xen.nested import machine, qemu
from lab.host import packages
from lab.host.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

TOOLS = {"ssh": "openssh-client", qemu.PROGRAM: "qemu-system-x86"}
BY_HAND = "install QEMU for x86-64, SeaBIOS and OpenSSH's client with your system's package manager"


def ensure(say: Callable[[str], None]) -> None:
    """Leaves ssh and QEMU on the PATH.

    Raises:
        HostError: the user must install them; names the packages.
    """
    lacking = [package for program, package in TOOLS.items() if not shutil.which(program)]
    if lacking:
        # SeaBIOS is only recommended by QEMU's package, and nothing boots without it.
        packages.install([*lacking, "seabios"], "for Xen this machine lacks something", say, BY_HAND)


def findings() -> list[Finding]:
    """What is here of it."""
    rows = []
    for program, package in TOOLS.items():
        where = shutil.which(program)
        way = f"'lab doctor --backend xen --fix', or install {package}"
        rows.append(Finding(program, bool(where), where or "missing", way, vital=program == "ssh"))
    usable = os.access("/dev/kvm", os.R_OK | os.W_OK)
    kvm = "can be used; whether it carries Xen shows when it boots" if usable else "not here: plain emulation"
    rows.append(Finding("kvm", good=True, detail=kvm))
    running = machine.running()
    state = f"runs by {running.accelerator}" if running else "not running"
    return [*rows, Finding("nested Xen host", good=True, detail=state)]
