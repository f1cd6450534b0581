"""The person's own editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

VARIABLES = ("VISUAL", "EDITOR")
DEFAULT = "vi"


def edited(text: str, name: str) -> str:
    """A text as the person's editor leaves it.

    Raises:
        SpecError: the editor was not found, it failed, or it wrote no UTF-8.
    """
    from lab.errors import SpecError

    chosen = {name: os.environ.get(name, "").strip() for name in VARIABLES}
    variable = next((name for name in VARIABLES if chosen[name]), "EDITOR")
    editor = chosen[variable] or DEFAULT
    with tempfile.TemporaryDirectory(prefix="lab-edit-") as folder:
        path = Path(folder) / name
        path.write_bytes(text.encode())  # bytes: the ends of lines stay as they are
        try:
            done = subprocess.run([*shlex.split(editor), str(path)], check=False)  # noqa: S603  the person's own
        except (OSError, ValueError) as error:
            unset = "" if chosen[variable] else "EDITOR is not set, and "
            what = f"{unset}the editor '{editor}' {_reason(error)}"
            next_step = f"set {variable} to an installed editor, such as nano"
            raise SpecError(what, where=variable, next_step=next_step) from None
        if done.returncode:
            how = f"exit code {done.returncode}" if done.returncode > 0 else f"signal {-done.returncode}"
            raise SpecError(
                f"the editor '{editor}' ended with {how}; the node's file is unchanged",
                where=variable,
                next_step=f"edit the file again, or set {variable} to another editor",
            )
        try:
            return path.read_bytes().decode()
        except UnicodeDecodeError:
            raise SpecError(
                f"the editor '{editor}' wrote {name} in another encoding than UTF-8; the node's file is unchanged",
                where=variable,
                next_step="save it as UTF-8",
            ) from None


def _reason(error: OSError | ValueError) -> str:
    """Why an editor did not start, behind its name."""
    if isinstance(error, FileNotFoundError):
        return "was not found"
    return f"can't be run: {error.strerror}" if isinstance(error, OSError) else f"is not a command: {error}"
