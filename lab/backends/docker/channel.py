"""Kept shells in nodes: a command runs there without the engine, which needs some 80 ms of processor to begin one.

A channel is one `docker exec` of `RUN`, or a container in the node's network that runs it: it reads commands from its
input and runs one after the other. A node has as many as commands run in it at once. A channel ends with the node, and
with the `lab` that opened it.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from lab.backends.docker import oneoff, owned
from lab.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import docker

GRACE_SECONDS = 30.0  # above the limit of the command, which `timeout` in the node keeps
IDLE = 4  # channels of a node that are kept
HEADER = struct.Struct(">BxxxL")  # of a frame: the stream, the length
OUTPUT, PIECE = 1, 1 << 16

# Input: the limit, the number of words and the words, each ended by a NUL. Output: exit code and the sizes of both
# outputs, a line each, then these. Each command has files of its own: what it left running may go on writing.
RUN = r"""
dir=$(mktemp -d /dev/shm/lab-channel-XXXXXX) || exit
trap 'rm -rf "$dir"' EXIT
exec 2>/dev/null  # what bash says of a command that was killed
unset LAB_CHANNEL
while IFS= read -r -d '' limit && IFS= read -r -d '' count; do
    words=()
    for ((i = 0; i < count; i++)); do IFS= read -r -d '' "words[i]" || exit; done
    timeout -k 2 "$limit" "${words[@]}" </dev/null >"$dir/out" 2>"$dir/err"
    echo $?
    { read -r out; read -r err; } < <(stat -c %s "$dir/out" "$dir/err")
    printf '%s\n' "$out" "$err"
    head -c "$out" "$dir/out"
    head -c "$err" "$dir/err"
    rm "$dir/out" "$dir/err"
done
"""

SHELL, SCRIPT = ["bash", "-c", 'eval "$LAB_CHANNEL"'], {"LAB_CHANNEL": RUN}
"""How a shell is begun. What it runs is not in its command line: processes to be stopped or ended are found by that."""


class Channel:
    """One kept shell.

    Attributes:
        born: when the node was started; the channel is that start's.
    """

    def __init__(self, opened: Any, born: str) -> None:  # noqa: ANN401  of whichever transport
        self.born = born
        self._opened = opened
        self._socket = getattr(opened, "_sock", opened)
        self._read = bytearray()

    @property
    def usable(self) -> bool:
        """Whether nothing has ended it; while no command runs it says nothing."""
        poll = select.poll()  # unlike select.select, for descriptors above 1,024 too
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def run(self, argv: Sequence[str], seconds: float) -> tuple[int, bytes, bytes]:
        """Runs a command; returns its exit code, which is 124 after `seconds`, and both outputs.

        Raises:
            BackendError: the channel ended, or nothing came in time. Whether the command ran is not known.
            ValueError: a word holds a NUL.
        """
        words = [str(seconds), str(len(argv)), *argv]
        if any("\0" in word for word in words):
            raise ValueError("a word of a command can't hold a NUL")
        deadline = time.monotonic() + seconds + GRACE_SECONDS
        try:
            self._socket.settimeout(GRACE_SECONDS)
            self._socket.sendall("".join(f"{word}\0" for word in words).encode())
            rc, out, err = (self._number(deadline) for _ in range(3))
            return rc, self._bytes(out, deadline), self._bytes(err, deadline)
        except OSError as error:
            raise BackendError(f"the node did not answer: {error}") from None

    def close(self) -> None:
        """Ends it; over TLS too, where the socket is held by more than one."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for each in (self._socket, self._opened):
            with contextlib.suppress(OSError):
                each.close()

    def _number(self, deadline: float) -> int:
        while (end := self._read.find(b"\n")) < 0:
            self._more(deadline)
        line = self._bytes(end + 1, deadline).strip()
        if not line.isdigit():  # the engine's own words, where the shell was not begun
            raise BackendError(f"no shell in the node: {line.decode(errors='replace')}")
        return int(line)

    def _bytes(self, size: int, deadline: float) -> bytes:
        while len(self._read) < size:
            self._more(deadline)
        data = bytes(self._read[:size])
        del self._read[:size]
        return data

    def _more(self, deadline: float) -> None:
        """Another frame."""
        stream, size = HEADER.unpack(self._exactly(HEADER.size, deadline))
        content = self._exactly(size, deadline)
        if stream != OUTPUT:
            raise BackendError(f"the node's shell failed: {content.decode(errors='replace').strip()}")
        self._read += content

    def _exactly(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            piece = self._socket.recv(min(size - len(data), PIECE))
            if not piece:
                raise BackendError("the node, or its engine, stopped while a command ran in it")
            data += piece
        return bytes(data)


class Channels:
    """The channels of a cluster's nodes that no command runs in."""

    def __init__(self, api: docker.APIClient) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, bool], list[Channel]] = {}
        # docker-py's ssh is a pipe that neither says when it can be read nor ends in time: one command a shell there.
        self._once = api.base_url.startswith("http+docker://ssh")
        weakref.finalize(self, _closed, self._idle)

    def run(
        self, container: str, argv: Sequence[str], seconds: float, *, beside: bool = False
    ) -> tuple[int, bytes, bytes]:
        """Runs a command in a container, as `Channel.run` does.

        Args:
            container: the node's.
            argv: the command.
            seconds: its limit.
            beside: not in the node but in its network, with the right to change that, by `_beside`.

        Raises:
            APIError: the container does not run, or is paused.
            BackendError: as `Channel.run` says.
        """
        if self._once:
            return (oneoff.beside if beside else oneoff.inside)(self._api, container, argv, seconds)
        inspected = self._api.inspect_container(container)
        if owned.sealed(inspected) and not beside:
            return oneoff.inside(self._api, container, argv, seconds, tools=True)
        state = inspected["State"]
        if state["Paused"] and not beside:
            self.forget(container)  # what is asked next refuses it
        channel = self._taken((container, beside), state["StartedAt"])
        if channel is None:
            channel = Channel((self._beside if beside else self._inside)(container), state["StartedAt"])
        try:
            done = channel.run(argv, seconds)
        except BaseException:
            channel.close()
            raise
        self._keep_idle((container, beside), channel)
        return done

    def forget(self, container: str) -> None:
        """Closes what is open to a container, which is about to go."""
        with self._lock:
            gone = {key: self._idle.pop(key) for key in [(container, False), (container, True)] if key in self._idle}
        _closed(gone)

    def forget_all(self) -> None:
        """Closes everything: the cluster is about to go."""
        with self._lock:
            gone = dict(self._idle)
            self._idle.clear()
        _closed(gone)

    def _inside(self, container: str) -> Any:  # noqa: ANN401  a socket of whichever transport
        instance = self._api.exec_create(container, SHELL, stdin=True, environment=SCRIPT)
        return self._api.exec_start(instance["Id"], socket=True)

    def _beside(self, container: str) -> Any:  # noqa: ANN401
        """A container of its own, from the same image: what the node may do itself stays as it is.

        It carries no label, so that it is never taken for a node, and is gone when its channel is closed.
        """
        shared = self._api.create_host_config(
            network_mode=f"container:{container}", cap_drop=["ALL"], cap_add=["NET_ADMIN", "NET_RAW"], auto_remove=True
        )
        inspected = self._api.inspect_container(container)
        image = owned.beside(inspected) if owned.sealed(inspected) else inspected["Image"]
        sidecar = self._api.create_container(
            image,
            SHELL[1:],
            entrypoint=SHELL[:1],
            environment=SCRIPT,
            host_config=shared,
            stdin_open=True,
            healthcheck={"test": ["NONE"]},
        )
        opened: Any = None
        try:
            opened = self._api.attach_socket(sidecar["Id"], {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
            self._api.start(sidecar["Id"])
        except BaseException:
            if opened is not None:
                opened.close()
            with contextlib.suppress(APIError):  # the engine may have removed it by itself
                self._api.remove_container(sidecar["Id"], force=True, v=True)
            raise
        return opened

    def _taken(self, key: tuple[str, bool], born: str) -> Channel | None:
        with self._lock:
            idle = self._idle.get(key, [])
            while idle:
                channel = idle.pop()
                if channel.born == born and channel.usable:
                    return channel
                channel.close()
        return None

    def _keep_idle(self, key: tuple[str, bool], channel: Channel) -> None:
        with self._lock:
            idle = self._idle.setdefault(key, [])
            if len(idle) < IDLE:
                idle.append(channel)
                return
        channel.close()


def _closed(idle: dict[tuple[str, bool], list[Channel]]) -> None:
    for channels in idle.values():
        for channel in channels:
            channel.close()
