"""Finding the Docker engine, and speaking to it with the lab's own errors."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import requests
from docker.errors import APIError, DockerException

from lab.errors import BackendError, HostError, Taken

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUEST_SECONDS = 60
PORT_TAKEN = ("port is already allocated", "address already in use")
SUBNET_TAKEN = ("Pool overlaps", "networks have overlapping IPv4")
CONNECTIONS = 64  # a follow of many logs and many nodes at once each hold one


def address() -> str:
    """Where the engine is: `DOCKER_HOST`, else the current context, else the usual socket or the rootless one."""
    if os.environ.get("DOCKER_HOST"):
        return os.environ["DOCKER_HOST"]
    context = _context_host()
    if context:
        return context
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    usual = Path("/var/run/docker.sock")
    return f"unix://{rootless if rootless.exists() and not usual.exists() else usual}"


def _context_host() -> str | None:
    """The host of the context that `docker context use` chose, if it chose one."""
    if not (Path.home() / ".docker" / "config.json").is_file():
        return None
    from docker.context import ContextAPI

    try:
        context = ContextAPI.get_current_context()
    except (DockerException, OSError, ValueError):
        return None
    return context.Host if context.name != "default" else None


def connect(seconds: int = REQUEST_SECONDS, version: str = "auto") -> docker.APIClient:
    """A client of the engine.

    Raises:
        HostError: none answers.
    """
    where = address()
    try:
        return docker.APIClient(base_url=where, timeout=seconds, version=version, max_pool_size=CONNECTIONS)
    except (DockerException, requests.exceptions.RequestException) as error:
        raise _unreachable(where, error) from error


def _unreachable(where: str, error: Exception) -> HostError:
    if "Permission denied" in str(error):
        return HostError(
            f"the Docker engine at {where} refuses this user",
            where=where,
            next_step="add yourself to the group 'docker' and log in again, or use rootless Docker",
        )
    return HostError(
        "no Docker engine answers",
        where=where,
        next_step="'lab doctor --fix' installs and starts one on Debian and Ubuntu as root;\n"
        "    elsewhere install Docker and start it, or set DOCKER_HOST",
    )


@contextmanager
def connected(seconds: int, version: str = "auto") -> Iterator[docker.APIClient]:
    """A client with its own time limit for the span of a `with`; a known API `version` saves a question."""
    client = connect(seconds, version)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def asking(what: str, node: str = "") -> Iterator[None]:
    """Turns what the engine raises into a `BackendError` that says what was asked."""
    try:
        yield
    except APIError as error:
        said = str(error.explanation)
        if any(words in said for words in PORT_TAKEN):
            raise Taken(
                f"{what}: a port of 127.0.0.1 is taken, in the engine's own books at least: {said}",
                where=node,
                next_step="choose others with '--port NAME=NUMBER'; an engine that was killed forgets when it restarts",
            ) from error
        if any(words in said for words in SUBNET_TAKEN):
            raise Taken(
                f"{what}: another network has the subnet: {said}",
                where="network",
                next_step="choose another subnet, or leave 'network' out and a free one is taken",
            ) from error
        raise BackendError(f"{what}: the engine says: {error.explanation or error}", where=node) from error
    except requests.exceptions.Timeout as error:
        raise BackendError(
            f"{what}: the engine did not answer in time", where=node, next_step="look at the engine's own log"
        ) from error
    except requests.exceptions.RequestException as error:
        raise BackendError(
            f"{what}: the engine is gone", where=node or address(), next_step="start it, then run 'lab up' again"
        ) from error
