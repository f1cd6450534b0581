"""Files that are written whole or not at all: a draft beside the place, which takes it once it is finished."""

from __future__ import annotations

import contextlib
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def drafted(target: Path, mode: int = 0o666) -> Iterator[Path]:
    """An empty draft of a file, for the span of a `with`; it takes the file's place at the end.

    After a failure it is removed, and the file is as it was. Two threads, or two processes, have a draft each.

    Args:
        target: the file.
        mode: its rights, from the first moment on; the process's own mask is taken off.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}-{threading.get_ident():x}")
    try:
        draft.touch(mode=mode)
        yield draft
        draft.replace(target)
    except OSError as error:
        if error.filename == str(draft):
            error.filename = str(target)  # a person knows the file, not its draft
        raise
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def write(target: Path, text: str) -> None:
    """Writes a text whole or not at all."""
    with drafted(target) as draft:
        draft.write_text(text, encoding="utf-8")
