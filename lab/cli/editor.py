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
        if problem := _problem(editor, path):
            what = problem if chosen[variable] else f"EDITOR is not set, and {problem}"
            raise SpecError(what, where=variable, next_step=f"set {variable} to an installed editor, such as nano")
        try:
            return path.read_bytes().decode()
        except UnicodeDecodeError:
            raise SpecError(
                f"the editor '{editor}' wrote {name} in another encoding than UTF-8; the node's file is unchanged",
                where=variable,
                next_step="save it as UTF-8",
            ) from None


def _problem(editor: str, path: Path) -> str:
    """Opens a file in an editor until that ends; why it failed, empty where it did not."""
    try:
        done = subprocess.run([*shlex.split(editor), str(path)], check=False)  # noqa: S603  the person's own
    except FileNotFoundError:
        return f"the editor '{editor}' was not found"
    except OSError as error:
        return f"the editor '{editor}' can't be run: {error.strerror}"
    except ValueError as error:
        return f"the editor '{editor}' is not a command: {error}"
    if done.returncode < 0:
        return f"the editor '{editor}' was ended by signal {-done.returncode}; the node's file is unchanged"
    if done.returncode:
        return f"the editor '{editor}' ended with exit code {done.returncode}; the node's file is unchanged"
    return ""
