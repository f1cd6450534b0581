"""Packages of the distribution: installed on Debian and Ubuntu as root, else named in an error."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from lab import commands
from lab.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INSTALL_SECONDS = 600
LOCK_SECONDS = 180
POLL_SECONDS = 2.0
LOCKED = "Could not get lock"
WAITING = ["-o", f"DPkg::Lock::Timeout={LOCK_SECONDS}"]  # apt-get itself waits only for dpkg's lock


def install(packages: Sequence[str], why: str, say: Callable[[str], None], by_hand: str) -> None:
    """Installs packages on Debian and Ubuntu as root.

    Raises:
        HostError: the user must install them; `by_hand` is the next step without apt-get.
    """
    apt = shutil.which("apt-get")
    if not apt or os.geteuid() != 0:
        advice = f"as root: apt-get install {' '.join(packages)}" if apt else by_hand
        raise HostError(why, next_step=advice)
    say(f"{why}: installing {', '.join(packages)} from this machine's package sources")
    _run([apt, "update", "-q"], say, by_hand)
    _run([apt, *WAITING, "install", "-qy", "--no-install-recommends", *packages], say, by_hand)


def _run(command: list[str], say: Callable[[str], None], by_hand: str) -> None:
    """Runs apt-get, and retries while another program holds its lock, such as during a machine's first boot.

    Raises:
        HostError: apt-get failed, or the lock was held for `LOCK_SECONDS`.
    """
    deadline, announced = time.monotonic() + LOCK_SECONDS, False
    while (failure := _failure(command)) and LOCKED in failure:
        if time.monotonic() > deadline:
            raise HostError(
                f"another program has held apt's lock for {LOCK_SECONDS} s:\n{failure[-800:]}",
                next_step="wait for it, and retry",
            )
        if not announced:
            say(f"waiting for another program that holds apt's lock (at most {LOCK_SECONDS} s)")
            announced = True
        time.sleep(POLL_SECONDS)
    if failure:
        raise HostError(f"'{' '.join(command)}' failed:\n{failure[-800:]}", next_step=by_hand)


def _failure(command: list[str]) -> str:
    """Output and exit code of a failed call of apt-get."""
    with tempfile.TemporaryFile() as output:
        how = commands.finished(command, output, INSTALL_SECONDS, {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})
        output.seek(0)
        return f"{output.read().decode(errors='replace')}{how}" if how else ""


def main(packages: Sequence[str]) -> int:
    """For scripts that need packages before the environment exists: 0 installed, 2 failed, 3 not possible here."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return 3
    try:
        why = f"{' '.join(packages)} {'is' if len(packages) == 1 else 'are'} missing"
        install(packages, why, lambda line: print(line, file=sys.stderr), "correct what it names, then run this again")
    except HostError as error:
        print(f"lab: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
