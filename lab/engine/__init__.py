"""The Docker engine, or another program with its API: connection, and translation of its errors."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import docker
import requests
import urllib3
from docker.credentials.errors import StoreError
from docker.errors import APIError, DockerException

from lab.engine import context
from lab.errors import BackendError, Gone, HostError, Refused, Taken
from lab.names import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker.types.daemon import CancellableStream

REQUEST_SECONDS = 60
PORT_TAKEN = ("port is already allocated", "address already in use")
SUBNET_TAKEN = ("Pool overlaps", "networks have overlapping IPv4")
# What is read as it comes is read by urllib3 itself, with errors of its own.
TOO_LATE = (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)
GONE = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError)
UNASKED = (DockerException, StoreError)  # such as a credential helper that is not installed
NOBODY = ("Connection refused", "No such file or directory", "FileNotFoundError", "ConnectionRefusedError")
# What urllib3 says of a pooled connection whose socket is closed: `ended` may come just after a stream's last byte,
# when its connection is in the pool already.
CLOSED = "file descriptor cannot be a negative integer"
CONNECTIONS = 64  # a follow of many logs and many nodes at once each hold one


class _Client(docker.APIClient):
    """A client that knows the last answer that was begun as a stream in this thread, by which it can be closed."""

    begun = threading.local()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            answer = super().send(request, **options)
        except ValueError as error:
            if CLOSED not in str(error):
                raise
            answer = super().send(request, **options)  # nothing was sent; the closed connection has left the pool
        if options.get("stream"):
            self.begun.answer = answer
        return answer


class _Limited(_Client):
    """A client that applies its limit to streamed requests as well, for which docker-py sets none."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        return super().send(request, **{**options, "timeout": options.get("timeout") or self.timeout})


def connect(
    seconds: int = REQUEST_SECONDS, version: str = "auto", kind: type[docker.APIClient] = _Client
) -> docker.APIClient:
    """A client of the engine.

    Raises:
        HostError: none answers.
    """
    where = context.endpoint()
    try:
        return kind(
            base_url=where.url,
            tls=where.tls or False,
            timeout=seconds,
            version=version,
            max_pool_size=CONNECTIONS,
            use_ssh_client=True,
        )
    except (DockerException, requests.exceptions.RequestException, OSError) as error:
        raise _unreachable(where.url, error) from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:  # docker-py reads both without looking
        raise HostError(
            f"the engine's address or Docker's config.json is not valid: {error}",
            where=where.url,
            next_step="check DOCKER_HOST, 'docker context inspect' and ~/.docker/config.json",
        ) from error


def _unreachable(where: str, error: Exception) -> HostError:
    message = str(error)
    if "Permission denied" in message:
        return Refused(
            f"the Docker engine at {where} refuses this user",
            where=where,
            next_step="add yourself to the group 'docker' and log in again, or use rootless Docker",
        )
    if any(words in message for words in NOBODY):
        return HostError(
            "no Docker engine answers",
            where=where,
            next_step="'lab doctor --fix' installs and starts one on Debian and Ubuntu as root;\n"
            "    elsewhere install Docker and start it, or set DOCKER_HOST",
        )
    return HostError(
        f"the Docker engine can't be used: {message}",
        where=where,
        next_step="check the engine, DOCKER_HOST, DOCKER_CONTEXT and the certificates",
    )


def own_names(image: dict[str, Any]) -> list[str]:
    """The names of the lab in a row of the engine's list of images, without the registry that Podman adds."""
    names = (str(tag).removeprefix("docker.io/").removeprefix("localhost/") for tag in image["RepoTags"] or [])
    return sorted(name for name in names if name.startswith(f"{NAMESPACE}/"))


@contextmanager
def connected(seconds: int, version: str = "auto") -> Iterator[docker.APIClient]:
    """A client for the span of a `with`, to which the engine is silent for at most `seconds`.

    A known API `version` saves a question.
    """
    client = connect(seconds, version, _Limited)
    try:
        yield client
    finally:
        client.close()


@contextmanager
def beginning() -> Iterator[None]:
    """Closes the answer to a stream that could not be begun, as of a container that has just gone.

    docker-py drops it then, and with it an open connection, until the interpreter looks for cycles.
    """
    _Client.begun.answer = None
    try:
        yield
    except BaseException:
        if _Client.begun.answer is not None:
            _Client.begun.answer.close()
        raise
    finally:
        _Client.begun.answer = None


def ended(stream: CancellableStream[Any]) -> bool:
    """Ends a stream of the engine, from any thread; its reader sees its end.

    Returns:
        False where the connection can't be ended: by ssh it is a pipe. It ends with what is said next.
    """
    try:
        stream.close()
    except (DockerException, AttributeError, UnboundLocalError):  # docker-py looks for a socket, and finds none
        return False
    except OSError:  # the engine has closed it
        return True
    return True


def released(stream: CancellableStream[Any]) -> None:
    """Ends a stream and closes its connection.

    The answer of a stream and its socket refer to each other, so that one that is only dropped holds its connection
    until the interpreter looks for such cycles. At the end of its data urllib3 closes both.
    """
    if ended(stream):
        with suppress(*GONE, DockerException, ValueError):
            for _ in stream:  # what is left in the buffer
                pass
    answer = getattr(stream, "_response", None)  # two that end it at once may leave it half closed: no socket is found
    if answer is not None:
        with suppress(*GONE, OSError, ValueError):
            answer.close()


@contextmanager
def asking(what: str, node: str = "") -> Iterator[None]:
    """Turns what the engine raises into a `BackendError` that says what was asked."""
    try:
        yield
    except APIError as error:
        message = str(error.explanation)
        if any(words in message for words in PORT_TAKEN):
            raise Taken(
                f"{what}: a port of this machine is in use: {message}",
                where=node,
                next_step="choose others with '--port NAME=NUMBER'; an engine that was killed forgets when it restarts",
            ) from error
        if any(words in message for words in SUBNET_TAKEN):
            raise Taken(
                f"{what}: another network has the subnet: {message}",
                where="network",
                next_step="choose another subnet, or leave 'network' out and a free one is taken",
            ) from error
        raise BackendError(f"{what}: the engine says: {error.explanation or error}", where=node) from error
    except TOO_LATE as error:
        raise BackendError(
            f"{what}: the engine did not answer in time: {error}",
            where=node,
            next_step="look at the engine's own log",
        ) from error
    except GONE as error:
        raise Gone(
            f"{what}: the engine is gone",
            where=node or context.endpoint().url,
            next_step="start it, then run 'lab up' again",
        ) from error
    except UNASKED as error:
        raise BackendError(
            f"{what}: {error}", where=node, next_step="check 'credsStore' and 'credHelpers' in Docker's config.json"
        ) from error
