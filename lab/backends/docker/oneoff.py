"""Commands in nodes by the engine itself, one process or container each: where no shell can be kept (`channel.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import engine
from lab.backends.docker import owned

if TYPE_CHECKING:
    from collections.abc import Sequence

    import docker

GRACE_SECONDS = 10  # for the engine, above what a command may take
BOUNDED = ["timeout", "-k", "2"]


def inside(
    api: docker.APIClient, container: str, argv: Sequence[str], seconds: float, *, tools: bool = False
) -> tuple[int, bytes, bytes]:
    """Runs a command in a running container; its exit code and both outputs.

    `tools`: by those that the lab put there, as root, since it is an image of the user's own.
    """
    if tools:
        words = [f"{owned.TOOLS}/{BOUNDED[0]}", *BOUNDED[1:], str(seconds), *argv]
        instance = api.exec_create(container, words, user="0", environment=[owned.PATH])
    else:
        instance = api.exec_create(container, [*BOUNDED, str(seconds), *argv])
    with engine.connected(int(seconds) + engine.REQUEST_SECONDS, api.api_version) as client:
        out, err = client.exec_start(instance["Id"], demux=True)
    return int(api.exec_inspect(instance["Id"])["ExitCode"]), out or b"", err or b""


def beside(api: docker.APIClient, container: str, argv: Sequence[str], seconds: float) -> tuple[int, bytes, bytes]:
    """Runs a command in the network of a running container, with the right to change it, in a container of its own."""
    shared = api.create_host_config(
        network_mode=f"container:{container}", cap_drop=["ALL"], cap_add=["NET_ADMIN", "NET_RAW"]
    )
    inspected = api.inspect_container(container)
    image = owned.beside(inspected) if owned.sealed(inspected) else inspected["Image"]
    sidecar = api.create_container(image, list(argv), entrypoint=[*BOUNDED, str(seconds)], host_config=shared)
    try:
        api.start(sidecar["Id"])
        rc = int(api.wait(sidecar["Id"], timeout=int(seconds) + GRACE_SECONDS)["StatusCode"])
        return rc, api.logs(sidecar["Id"], stderr=False), api.logs(sidecar["Id"], stdout=False)
    finally:
        api.remove_container(sidecar["Id"], force=True, v=True)
