"""A base that is made without any registry: Debian by mmdebstrap, from the package sources of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab import paths
from lab.errors import BuildError, HostError

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

PACKAGES = ["mmdebstrap", "uidmap", "debian-archive-keyring"]
"""What it takes: the second where it is not run by root, the third where this machine is no Debian."""
BY_HAND = "use an engine that reaches a container registry, or install mmdebstrap and Debian's archive keyring"
SECONDS = 600
DISK = 700  # MiB of temporary files: 520 seen, the archive beside the tree that it is made of
TRIM = ["doc", "man", "locale", "info"]
PROGRAM = "mmdebstrap"
TARGETS = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(ORIGIN)", "Created-By: Packages"]


def missing() -> bool:
    """Whether this machine lacks the program."""
    return not shutil.which(PROGRAM)


def make(api: docker.APIClient, suite: str, wanted: str, report: Callable[[str, str], None]) -> None:
    """Makes a suite of Debian the image `wanted`.

    Raises:
        HostError: the program is missing, or there is no room for it.
        BuildError: it failed; its log is kept.
    """
    if missing():
        raise HostError(
            "no container registry answers, and 'mmdebstrap', which makes the base without one, is missing",
            next_step="'lab doctor --fix' installs it on Debian and Ubuntu as root;"
            f" or: apt-get install {' '.join(PACKAGES)}",
        )
    sources = mirrors(suite)
    whose = "this machine's package sources" if sources else "Debian's own mirror"
    report("base", f"no registry answers: bootstrapping {suite} from {whose}")
    with tempfile.TemporaryDirectory(prefix="lab-base-") as folder:
        _admit(folder)
        root = Path(folder) / "root.tar"
        _run([suite, str(root), *sources], folder)
        report("base", "importing")
        repository, _, version = wanted.partition(":")
        api.import_image_from_file(str(root), repository=repository, tag=version)


def mirrors(suite: str) -> list[str]:
    """The lines of a sources.list by which this machine itself has this suite of Debian; none where it has not."""
    try:
        listed = subprocess.run(  # noqa: S603  apt's own, with no word of anybody else
            TARGETS, capture_output=True, text=True, timeout=SECONDS, check=False
        ).stdout
    except FileNotFoundError:
        return []
    order = {suite: 0, f"{suite}-updates": 1, f"{suite}-security": 2}
    found = set()
    for line in listed.splitlines():
        uri, codename, origin = (*line.split(), "", "", "")[:3]
        if origin == "Debian" and codename in order:
            found.add((order[codename], f"deb {uri} {codename} main"))
    lines = [line for _, line in sorted(found)]
    return lines if any(line.split()[2] == suite for line in lines) else []


def _admit(folder: str) -> None:
    free = shutil.disk_usage(folder).free >> 20
    if free < DISK:
        raise HostError(
            f"the base needs {DISK} MiB for temporary files while it is made, and {free} MiB are free",
            where=str(Path(folder).parent),
            next_step="free some, or set TMPDIR to a folder that has more",
        )


def _run(arguments: list[str], folder: str) -> None:
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in TRIM]
    log = paths.logs() / "bootstrap.log"
    with log.open("w", encoding="utf-8") as output:
        try:
            done = subprocess.run(  # noqa: S603  the family's table
                [PROGRAM, "--variant=minbase", "--dpkgopt=force-unsafe-io", *excludes, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=SECONDS,
                check=False,
                env={**os.environ, "TMPDIR": folder},
            )
            failed = done.returncode != 0
        except subprocess.TimeoutExpired:
            output.write(f"not done after {SECONDS} s\n")
            failed = True
    if failed:
        raise BuildError(f"{arguments[0]} can't be bootstrapped", step=PROGRAM, log=str(log))
