"""Containers of the user's own images: their files, and what the lab runs in them and beside them.

They may write nothing of the image, and run as the image's own user: the plan's files lie on a volume that
goes with the container; those with secrets belong to that user.
"""

from __future__ import annotations

import tarfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from lab.backends.archive import archive
from lab.backends.docker.labels import FAMILY
from lab.errors import SpecError
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import docker

FILES = "/etc/lab"
OTHERS = 0o004  # others may read it
TOOLS = "/usr/lib/lab/bin"
SHELL = f"{TOOLS}/sh"
PATH = f"PATH={TOOLS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def sealed(inspected: Mapping[str, Any]) -> bool:
    """Whether a container is of such an image."""
    return bool(inspected["HostConfig"].get("ReadonlyRootfs"))


def put(api: docker.APIClient, container: str, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Copies files to the volume of a container.

    Those with secrets (mode 0600) belong to its user, the others to root: the lab's programs, run as root, read them.
    """
    number = _number(api, container, str(api.inspect_container(container)["Config"]["User"]))
    for mine in (False, True):
        part = {path: content for path, content in files.items() if mine is not bool(content[1] & OTHERS)}
        inside = {path.removeprefix(f"{FILES}/"): content for path, content in part.items()}
        if inside:
            api.put_archive(container, FILES, archive(inside, number if mine else 0))


def hosts(files: Mapping[str, tuple[bytes, int]]) -> dict[str, str]:
    """The names that a container resolves, by the plan's file of them."""
    lines = files.get(f"{FILES}/hosts", (b"", 0))[0].decode().splitlines()
    return {name: words[0] for line in lines if (words := line.split()) for name in words[1:] if name != "localhost"}


def path(inspected: Mapping[str, Any]) -> str:
    """The image's own PATH, with the lab's tools behind it, as a variable."""
    own = [each for each in inspected["Config"].get("Env") or [] if each.startswith("PATH=")]
    return f"{own[0]}:{TOOLS}" if own else PATH


def beside(inspected: Mapping[str, Any]) -> str:
    """The image of what runs beside a container, with the lab's programs."""
    return recipe("base", inspected["Config"]["Labels"][FAMILY]).tag


def _number(api: docker.APIClient, container: str, declared: str) -> int:
    """The number of an image's user."""
    user = declared.partition(":")[0]
    if not user or user.isdecimal():
        return int(user or 0)
    try:
        chunks, _ = api.get_archive(container, "/etc/passwd")
        with tarfile.open(fileobj=BytesIO(b"".join(chunks))) as tar:
            member = tar.extractfile(tar.getmembers()[0])
            lines = member.read().decode(errors="replace").splitlines() if member else []
    except NotFound:
        lines = []
    numbers = {words[0]: words[2] for line in lines if len(words := line.split(":")) > 2}  # noqa: PLR2004
    if not numbers.get(user, "").isdecimal():
        raise SpecError(
            f"the image's user '{user}' is not in its /etc/passwd",
            next_step="write USER with a number in its Dockerfile",
        )
    return int(numbers[user])
