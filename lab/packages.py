"""The distribution's packages: installed where that is possible, asked for where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from typing import TYPE_CHECKING

from lab.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INSTALL_SECONDS = 600
LOCK_SECONDS = 180
POLL_SECONDS = 2.0
LOCKED = "Could not get lock"
WAITING = ["-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]  # it waits for dpkg's lock itself, not for that of 'update'


def install(packages: Sequence[str], why: str, say: Callable[[str], None], by_hand: str) -> None:
    """Installs packages on Debian and Ubuntu as root; elsewhere says what to do.

    Raises:
        HostError: it can't be done here without a person; `by_hand` says what to do where there is no apt-get.
    """
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        asked = f"as root: apt-get install {' '.join(packages)}" if apt else by_hand
        raise HostError(why, next_step=asked)
    say(f"{why}: installing {', '.join(packages)} from this machine's package sources")
    _run([apt, "update", "-q"], by_hand)
    _run([apt, *WAITING, "install", "-qy", "--no-install-recommends", *packages], by_hand)


def _run(command: list[str], by_hand: str) -> None:
    """Calls apt-get until no other program has its lock, such as that of a machine's first boot."""
    deadline = time.monotonic() + LOCK_SECONDS
    while (said := _failure(command)) and LOCKED in said:
        if time.monotonic() > deadline:
            raise HostError(
                f"another program installs packages here, and has not ended within {LOCK_SECONDS} s:\n{said[-800:]}",
                next_step="wait for it, then run this again",
            )
        time.sleep(POLL_SECONDS)
    if said:
        raise HostError(f"'{' '.join(command)}' failed:\n{said[-800:]}", next_step=by_hand)


def _failure(command: list[str]) -> str:
    """What a call of apt-get printed, or how it ended, where it failed."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603  the packages are this project's own
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {INSTALL_SECONDS} s"
    return "" if done.returncode == 0 else done.stdout or f"exit code {done.returncode}"
