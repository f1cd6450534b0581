"""Looks for the user of an image in the image's own files."""

from __future__ import annotations

import tarfile
from io import BytesIO
from typing import TYPE_CHECKING, Any

from docker.errors import NotFound

from lab.errors import SpecError
from lab.recipes.person import Person, person

if TYPE_CHECKING:
    import docker

PASSWD, GROUP = "/etc/passwd", "/etc/group"
MOST_BYTES = 1 << 20
LINKS = 5  # that a file may lie behind


def of_container(api: docker.APIClient, container: str, user: str) -> Person:
    """The user of a container, running or not.

    Raises:
        SpecError: as for `person`; or a file of users is no usable one.
    """
    return person(user, _file(api, container, PASSWD), _file(api, container, GROUP))


def of_image(api: docker.APIClient, image: str, user: str) -> Person:
    """The user of an image, by a container that is made for it and never started."""
    container = api.create_container(image, ["true"], entrypoint=[])["Id"]
    try:
        return of_container(api, container, user)
    finally:
        api.remove_container(container, force=True, v=True)


def _file(api: docker.APIClient, container: str, path: str) -> str:
    """A file of users; empty where there is none."""
    try:
        for _ in range(LINKS):
            chunks, known = api.get_archive(container, path)
            size, target = int(known.get("size") or 0), str(known.get("linkTarget") or "")
            if target and target != path:
                chunks.close()
                path = target
                continue
            if size > MOST_BYTES:
                chunks.close()
                raise SpecError(f"{path} of the image has {size} bytes: no file of users", where=path)
            return _text(b"".join(chunks))
    except NotFound:
        pass
    return ""


def _text(archive: bytes) -> str:
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        member: Any = tar.next()
        file = tar.extractfile(member) if member and member.isfile() else None
        return file.read().decode(errors="replace") if file else ""
