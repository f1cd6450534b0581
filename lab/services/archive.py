"""An archive on its way to a node: in a file without a name, of which no more than a piece is in memory."""

from __future__ import annotations

import os
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PART = 8 << 20  # bytes that are sent at once


class Archive:
    """Bytes that are written once and read by pieces, by several threads at once; gone with this object."""

    def __init__(self) -> None:
        self._file, path = tempfile.mkstemp(prefix="lab-site-")
        Path(path).unlink()
        weakref.finalize(self, os.close, self._file)

    def write(self, data: bytes) -> int:
        """Adds bytes.

        Raises:
            OSError: this machine's temporary folder is full.
        """
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]
        return len(data)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return os.fstat(self._file).st_size

    def parts(self) -> Iterator[bytes]:
        """All of it, in pieces of at most `PART` bytes."""
        place = 0
        while part := os.pread(self._file, PART, place):
            yield part
            place += len(part)
