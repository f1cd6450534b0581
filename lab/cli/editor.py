"""The person's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path


def edited(text: str, name: str) -> str:
    """A text as the person's editor leaves it.

    Raises:
        SpecError: there is no such editor, it failed, or it wrote no UTF-8.
    """
    from lab.errors import SpecError

    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="lab-edit-") as folder:
        path = Path(folder) / name
        path.write_bytes(text.encode())  # bytes: the ends of lines stay as they are
        try:
            subprocess.run([*shlex.split(editor), str(path)], check=True)  # noqa: S603  the person's own
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            raise SpecError(
                f"the editor '{editor}' failed: {error}", where="EDITOR", next_step="set EDITOR to one that works"
            ) from None
        try:
            return path.read_bytes().decode()
        except UnicodeDecodeError:
            raise SpecError(
                f"the editor '{editor}' wrote {name} in another encoding than UTF-8; the node's file is unchanged",
                where="EDITOR",
                next_step="save it as UTF-8",
            ) from None
