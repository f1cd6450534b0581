"""The image that a family's base stands on: pulled, or bootstrapped from this machine's own package sources."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import requests
from docker.errors import APIError, ImageNotFound

from lab import paths
from lab.backends.docker import engine
from lab.errors import BuildError, HostError
from lab.names import NAMESPACE
from lab.recipes import family

if TYPE_CHECKING:
    from collections.abc import Callable

    import docker

BOOTSTRAP_SECONDS = 600
TRIM = ["doc", "man", "locale", "info"]


def tag(name: str) -> str:
    """The lab's own name of a family's origin."""
    return f"{NAMESPACE}/origin:{name}"


def here(api: docker.APIClient, image: str) -> bool:
    """Whether the engine has an image."""
    try:
        api.inspect_image(image)  # type: ignore[no-untyped-call]
    except ImageNotFound:
        return False
    return True


def available(api: docker.APIClient, name: str, seconds: float) -> bool:
    """Whether the origin of a family is here, or its registry knows it within `seconds`."""
    with engine.asking(f"looking for {tag(name)}"):
        return here(api, tag(name)) or obtainable(api, family(name).origin, seconds)


def obtainable(api: docker.APIClient, image: str, seconds: float) -> bool:
    """Whether an image is here, or its registry knows it within `seconds`."""
    if here(api, image):
        return True
    try:
        with engine.connected(max(1, int(seconds))) as client:
            client.inspect_distribution(image)  # type: ignore[no-untyped-call]
    except (APIError, requests.exceptions.RequestException):
        return False
    return True


def ensure(api: docker.APIClient, name: str, report: Callable[[str, str], None]) -> None:
    """Makes the origin of a family present under the lab's own name.

    Raises:
        BuildError: it can be neither pulled nor bootstrapped.
    """
    table, wanted = family(name), tag(name)
    if here(api, wanted):
        return
    if not here(api, table.origin):
        try:
            report("base", f"pulling {table.origin}")
            api.pull(table.origin)
        except (APIError, requests.exceptions.RequestException) as error:
            if table.bootstrap is None:
                raise BuildError(
                    f"the base image {table.origin} can't be pulled: {getattr(error, 'explanation', None) or error}",
                    step=f"pull {table.origin}",
                    log="the engine's own",
                ) from error
            _bootstrap(api, table.bootstrap, wanted, report)
            return
    repository, _, version = wanted.partition(":")
    api.tag(table.origin, repository, version)


def _bootstrap(api: docker.APIClient, suite: str, wanted: str, report: Callable[[str, str], None]) -> None:
    """Debian from the package sources that this machine itself uses; no container registry is asked."""
    if not shutil.which("mmdebstrap"):
        raise HostError(
            "no container registry answers, and 'mmdebstrap', which makes the base without one, is missing",
            next_step="'lab doctor --fix' installs it on Debian and Ubuntu as root; or: apt-get install mmdebstrap",
        )
    report("base", f"no registry answers: bootstrapping {suite} from this machine's package sources")
    with tempfile.TemporaryDirectory(prefix="lab-base-") as folder:
        root = Path(folder) / "root.tar"
        excludes = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in TRIM]
        done = subprocess.run(  # noqa: S603
            ["mmdebstrap", "--variant=minbase", "--dpkgopt=force-unsafe-io", *excludes, suite, str(root)],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=BOOTSTRAP_SECONDS,
            check=False,
            env={**os.environ, "TMPDIR": folder},
        )
        if done.returncode != 0:
            log = paths.logs() / "bootstrap.log"
            log.write_text(done.stdout + done.stderr, encoding="utf-8")
            raise BuildError(f"{suite} can't be bootstrapped", step="mmdebstrap", log=str(log))
        report("base", "importing")
        repository, _, version = wanted.partition(":")
        api.import_image_from_file(str(root), repository=repository, tag=version)
