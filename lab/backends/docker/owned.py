"""Containers of the user's own images: their files, and what the lab runs in them and beside them.

They may write nothing of the image, and run as the image's own user: the plan's files lie on a volume that
goes with the container; those with secrets belong to that user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.backends.archive import archive
from lab.backends.docker.labels import FAMILY
from lab.building import persons
from lab.errors import BackendError
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import docker

FILES = "/etc/lab"
OTHERS = 0o004  # others may read it
TOOLS = "/usr/lib/lab/bin"
SHELL = f"{TOOLS}/sh"
FOLDERS = "/usr/lib/lab/folders"
GIVE_SECONDS = 60
PATH = f"PATH={TOOLS}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def sealed(inspected: Mapping[str, Any]) -> bool:
    """Whether a container is of such an image."""
    return bool(inspected["HostConfig"].get("ReadonlyRootfs"))


def put(api: docker.APIClient, container: str, files: Mapping[str, tuple[bytes, int]]) -> None:
    """Copies files to the volume of a container.

    Those with secrets (mode 0600) belong to its user, the others to root: the lab's programs, run as root, read them.
    """
    number = persons.of_container(api, container, str(api.inspect_container(container)["Config"]["User"])).user
    for mine in (False, True):
        part = {path: content for path, content in files.items() if mine is not bool(content[1] & OTHERS)}
        inside = {path.removeprefix(f"{FILES}/"): content for path, content in part.items()}
        if inside:
            api.put_archive(container, FILES, archive(inside, number if mine else 0))


def give(api: docker.APIClient, container: str, image: str, places: Sequence[str]) -> None:
    """Gives the folders that a container may write to its user, by a container beside it.

    A volume outlives its node, and the next image may have another user. A program that starts as root gives them
    away itself.
    """
    person = persons.of_container(api, container, str(api.inspect_container(container)["Config"]["User"]))
    if not person.user or not places:
        return
    host = api.create_host_config(
        network_mode="none", volumes_from=[container], cap_drop=["ALL"], cap_add=["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    )
    owner = f"{person.user}:{person.group}"
    helper = api.create_container(image, [owner, *places], entrypoint=[FOLDERS], user="0", host_config=host)["Id"]
    try:
        api.start(helper)
        if api.wait(helper, timeout=GIVE_SECONDS)["StatusCode"]:
            raise BackendError(f"giving {', '.join(places)} to {owner}: {api.logs(helper).decode(errors='replace')}")
    finally:
        api.remove_container(helper, force=True)


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
