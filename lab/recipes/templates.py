"""Jinja templates of the lab, and the cache of their compiled code."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from lab import paths
from lab.errors import HostError

if TYPE_CHECKING:
    from jinja2.bccache import Bucket

WRITABLE_BY_OTHERS = 0o022


class CompiledTemplates(FileSystemBytecodeCache):
    """Compiled code in a folder; what can't be read is compiled again, and what can't be written is not kept.

    Jinja compares the source's checksum, its own version and Python's. The code is run: the folder must be this user's.
    """

    def load_bytecode(self, bucket: Bucket) -> None:
        """Reads a template's code, if the file is whole."""
        try:
            super().load_bytecode(bucket)
        except Exception:  # noqa: BLE001  a damaged file may raise anything, and costs a compilation only
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Writes a template's code, if there is room."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def environment(*folders: str) -> Environment:
    """The one Jinja environment of the lab: strict about names, careful with white space."""
    return Environment(
        loader=FileSystemLoader(list(folders)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701  the output is configuration of daemons, never HTML
        bytecode_cache=_compiled() if folders else None,
    )


def _compiled() -> CompiledTemplates | None:
    """The cache in this user's folder; None where the folder can't be made, or others can write to it."""
    try:
        folder = paths.templates()
        status = folder.stat()
    except (HostError, OSError):
        return None
    if status.st_uid != os.geteuid() or status.st_mode & WRITABLE_BY_OTHERS:
        return None
    return CompiledTemplates(str(folder))
