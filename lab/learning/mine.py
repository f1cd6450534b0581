"""Copies of the person's own files that a solution replaces, beside them, by a name that no daemon reads.

A daemon that includes all files of a folder leaves out those whose name begins with a dot, or has another ending.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from lab.errors import BackendError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Backend


def keep(backend: Backend, node: str, path: str, content: bytes) -> str:
    """Copies a file of a node with its mode and owner, unless a copy has that content; returns the copy's path.

    Raises:
        BackendError: it can't be copied.
    """
    for name, old in _copies(backend, node, path):
        if old == content:
            return name
        if old is None:
            done = backend.run(node, ["cp", "-p", path, name])
            if not done.ok:
                raise BackendError(f"{path} of {node} can't be copied to {name}: {done.last_line}", where=node)
            return name
    raise AssertionError("names do not end")


def last(backend: Backend, node: str, path: str) -> str:
    """The path of the last copy of a file; empty where there is none."""
    newest = ""
    for name, content in _copies(backend, node, path):
        if content is None:
            break
        newest = name
    return newest


def _copies(backend: Backend, node: str, path: str) -> Iterator[tuple[str, bytes | None]]:
    """The names of copies, such as `/etc/lab/.httpd.conf.mine`, then `…mine2`, each with its content."""
    folder, _, name = path.rpartition("/")
    for number in count(1):
        copy = f"{folder}/.{name}.mine{number if number > 1 else ''}"
        yield copy, backend.get(node, copy)
