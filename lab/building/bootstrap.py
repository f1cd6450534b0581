"""A base that is made without any registry: Debian by mmdebstrap, from the package sources of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab import commands, engine, paths
from lab.errors import BuildError, HostError

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGES = ["mmdebstrap", "uidmap", "debian-archive-keyring"]
"""mmdebstrap; uidmap, which it needs without root; the keyring, which it needs on Ubuntu."""

BY_HAND = "use an engine that reaches a container registry, or install mmdebstrap and Debian's archive keyring"
BOOTSTRAP_SECONDS = 600
IMPORT_SECONDS = 600
ASKING_SECONDS = 60
DISK = 700  # MiB of temporary files: 520 seen, the archive beside the tree that it is made of
TRIM = ["doc", "man", "locale", "info"]
PREFIX = "lab-base-"
PROGRAM, KEYRING = "mmdebstrap", Path("/usr/share/keyrings/debian-archive-keyring.gpg")
TARGETS = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(ORIGIN)", "Created-By: Packages"]
HERE = ("", "localhost", "127.0.0.1", "::1")
"""Hosts of sources that no container reaches."""


def missing() -> bool:
    """Whether this machine lacks what it takes."""
    return not (shutil.which(PROGRAM) and KEYRING.is_file())


def make(suite: str, image: str, why: str, report: Callable[[str, str], None]) -> None:
    """Makes a suite of Debian the image `image`; `why` says why it could not be pulled.

    Raises:
        HostError: the program is missing, or there is no room for it.
        BuildError: it failed; its log is kept.
    """
    if problem := obstacle():
        raise HostError(
            f"the base image can't be pulled ({why}) and can't be made: {problem}",
            next_step="'lab doctor --fix' installs mmdebstrap on Debian and Ubuntu as root (by hand: apt-get install"
            f" {' '.join(PACKAGES)}); TMPDIR chooses a folder with more room",
        )
    sources = mirrors(suite)
    whose = "this machine's package sources" if sources else "Debian's own mirror"
    report("base", f"the base image can't be pulled ({why}): bootstrapping {suite} from {whose}")
    _clear()
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "root.tar"
        _run([suite, str(root), *sources], Path(folder))
        report("base", "importing")
        repository, _, version = image.partition(":")
        with engine.connected(IMPORT_SECONDS) as client:
            client.import_image_from_file(str(root), repository=repository, tag=version)


def _clear() -> None:
    """Removes what a `lab` that was killed has left."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)


def mirrors(suite: str) -> list[str]:
    """The lines of a sources.list by which this machine itself has this suite of Debian; none where it has not.

    Only what a container can reach: files of this machine and its own proxies are left out.
    """
    try:
        listed = subprocess.run(  # noqa: S603  fixed arguments
            TARGETS, capture_output=True, text=True, timeout=ASKING_SECONDS, check=False
        ).stdout
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    order = {suite: 0, f"{suite}-updates": 1, f"{suite}-security": 2}
    entries = set()
    for line in listed.splitlines():
        uri, codename, origin = (*line.split(), "", "", "")[:3]
        place = urlsplit(uri)
        if (
            origin == "Debian"
            and codename in order
            and place.scheme in ("http", "https")
            and place.hostname not in HERE
        ):
            entries.add((order[codename], f"deb {uri} {codename} main"))
    lines = [line for _, line in sorted(entries)]
    return lines if any(line.split()[2] == suite for line in lines) else []


def obstacle() -> str:
    """Why this machine can't make a base; empty where it can."""
    if missing():
        return "no registry answers, and 'mmdebstrap', which makes it without one, is missing"
    place = tempfile.gettempdir()
    free = shutil.disk_usage(place).free >> 20
    if free < DISK:
        return f"it needs {DISK} MiB for temporary files while it is made, and {free} MiB are free in {place}"
    return ""


def _run(arguments: list[str], folder: Path) -> None:
    excludes = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in TRIM]
    includes = ["--include=ca-certificates"] if any("https:" in source for source in arguments) else []
    work = folder / "work"  # without root, other numbers than this user's write there
    work.mkdir()
    work.chmod(0o1777)
    folder.chmod(0o711)
    log = paths.logs() / "bootstrap.log"
    command = [PROGRAM, "--variant=minbase", "--dpkgopt=force-unsafe-io", *excludes, *includes, *arguments]
    with log.open("wb") as output:
        failure = commands.finished(command, output, BOOTSTRAP_SECONDS, {"TMPDIR": str(work)})
    if failure:
        raise BuildError(f"{arguments[0]} can't be bootstrapped: {failure}", step=PROGRAM, log=str(log))
