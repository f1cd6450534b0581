"""Data volumes with a size on Docker, where those that the lab creates take as much as this machine's disk has."""

from __future__ import annotations

import contextlib
import subprocess
from typing import TYPE_CHECKING

import docker

from lab.backends.docker import labels
from lab.backends.docker.container import volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from lab.backends.base import Backend


@contextlib.contextmanager
def sized(made: Backend, nodes: Sequence[str], folder: Path, size: str) -> Iterator[None]:
    """Creates the data volumes of nodes that are to come: a file system each, on a loop device.

    The devices are detached at the end; the volumes have to be removed before. With a backend whose volumes have a size
    nothing is done.
    """
    if made.capabilities().sized_volumes:
        yield
        return
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(contextlib.closing(docker.APIClient()))
        for node in nodes:
            image = folder / f"{node}.disk"
            _run("truncate", "--size", size, str(image))
            _run("mkfs.ext4", "-q", str(image))
            device = _run("losetup", "--find", "--show", str(image))
            stack.callback(image.unlink)
            stack.callback(_run, "losetup", "--detach", device)
            api.create_volume(
                volume(made.cluster, node, "data"),
                driver="local",
                driver_opts={"type": "ext4", "device": device},
                labels={labels.CLUSTER: made.cluster},
            )
        yield


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
