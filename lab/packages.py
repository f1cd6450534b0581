"""The distribution's packages: installed where that is possible, asked for where it is not."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from lab.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INSTALL_SECONDS = 600


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
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ([apt, "update", "-q"], [apt, "install", "-qy", "--no-install-recommends", *packages]):
        done = subprocess.run(  # noqa: S603  the packages are this module's own
            command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode != 0:
            raise HostError(f"'{' '.join(command)}' failed:\n{(done.stdout + done.stderr)[-800:]}", next_step=by_hand)
