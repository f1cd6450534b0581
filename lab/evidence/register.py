"""A register in a file, read and written by several clients on one or more nodes, for the checker in `linear`.

On one node it tests the node's disk; on several nodes that share a filesystem, the consistency of the filesystem.
"""

from __future__ import annotations

import random
import shlex
import threading
import time
import uuid
from typing import TYPE_CHECKING, Self

from lab.errors import BackendError
from lab.evidence.linear import Access

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Backend

# Both the new value and its renaming are synced to disk before the write is acknowledged.
WRITE = "echo {value} > {path}.{value} && sync {path}.{value} && mv {path}.{value} {path} && sync {folder}"
# A failed read proves nothing: on a shared filesystem the file may be replaced between lookup and open.
READ = "cat {path}"
BEGIN = ": > {path} && sync {path}"
OPERATION_SECONDS = 10.0


class Register:
    """A context manager whose clients use the register; `history` holds their operations, on this machine's clock."""

    def __init__(self, backend: Backend, nodes: Sequence[str], folder: str, *, clients: int = 4, seed: int = 0) -> None:
        self.history: list[Access] = []
        self._backend, self._folder = backend, folder
        self._path = f"{folder}/.register-{uuid.uuid4().hex[:8]}"
        self._ended = threading.Event()
        self._lock = threading.Lock()
        at = [nodes[index % len(nodes)] for index in range(clients)]
        self._threads = [
            threading.Thread(target=self._client, args=(index, node, random.Random(seed * 1000 + index)))  # noqa: S311
            for index, node in enumerate(at)
        ]
        self._nodes = nodes

    def __enter__(self) -> Self:
        begun = self._backend.run(self._nodes[0], ["sh", "-c", BEGIN.format(path=self._path)])
        if not begun.ok:
            raise BackendError(f"cannot create the register: {begun.last_line}", where=self._nodes[0])
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for node in self._nodes:
            self._backend.run(node, ["sh", "-c", f"rm -f {shlex.quote(self._path)}*"])

    def _client(self, index: int, node: str, chance: random.Random) -> None:
        count = 0
        while not self._ended.is_set():
            count += 1
            if chance.random() < 0.5:  # noqa: PLR2004  as often one as the other
                self._write(node, f"{index}-{count}")
            else:
                self._read(node)

    def _write(self, node: str, value: str) -> None:
        command = WRITE.format(value=value, path=self._path, folder=self._folder)
        begun = time.monotonic()
        done = self._output(node, command)
        self._keep(Access("write", value, begun, time.monotonic() if done is not None else None))

    def _read(self, node: str) -> None:
        begun = time.monotonic()
        done = self._output(node, READ.format(path=self._path))
        if done is not None:
            self._keep(Access("read", done.strip(), begun, time.monotonic()))

    def _output(self, node: str, command: str) -> str | None:
        """Output of a command; None if its outcome is unknown."""
        try:
            done = self._backend.run(node, ["sh", "-c", command], seconds=OPERATION_SECONDS)
        except BackendError:
            self._ended.wait(0.1)  # the node is down: no hurry to retry
            return None
        return done.stdout if done.ok else None

    def _keep(self, access: Access) -> None:
        with self._lock:
            self.history.append(access)
