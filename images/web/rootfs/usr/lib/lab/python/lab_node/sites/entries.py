"""The entries of a release's archive: none of them is written outside the site."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from .errors import ContentError

if TYPE_CHECKING:
    import tarfile
    from pathlib import Path

ACCESS = ".htaccess"
ACCESS_BYTES = 1 << 16
EXPRESSION = re.compile(rb"\bexpr\b|<\s*(else)?if\b", re.IGNORECASE)


def checked(entry: tarfile.TarInfo) -> str:
    """The name of an archive's entry, if it and where it leads stay inside; empty for the root.

    A hard link is refused, and so is a link named .htaccess: what it leads to has another name, and is not checked.

    Raises:
        ContentError: they don't, or it is no file, directory or link.
    """
    parts = [part for part in entry.name.split("/") if part not in ("", ".")]
    if entry.name.startswith("/") or ".." in parts:
        raise ContentError(f"'{entry.name}' would lie outside the site")
    if entry.issym():
        if parts and parts[-1].lower() == ACCESS:
            raise ContentError(f"'{entry.name}' is a link: its content is checked only in a file of that name")
        depth = len(parts) - 1
        for part in entry.linkname.split("/"):
            depth += {"..": -1, "": 0, ".": 0}.get(part, 1)
            if depth < 0 or entry.linkname.startswith("/"):
                raise ContentError(f"the link '{entry.name}' leads out of the site, to {entry.linkname}")
    elif not (entry.isfile() or entry.isdir()):
        raise ContentError(f"'{entry.name}' is neither a file nor a folder nor a symbolic link")
    return "/".join(parts)


def put(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path, group: int) -> None:
    """One entry. Programs are for the site's group alone, other files for httpd as well; nothing is writable.

    A file that exists is replaced, not written to: another release may share it.
    """
    name = checked(entry)
    if not name:
        return
    path = root / name
    through(path, root)
    if entry.isdir():
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
        return
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if entry.issym():
        path.symlink_to(entry.linkname)
        return
    content = tar.extractfile(entry)
    with path.open("xb") as out:
        if content is not None:
            shutil.copyfileobj(content, out)
    if path.name.lower() == ACCESS:
        refuse_expressions(path, name)
    run_bits = 0o111 if entry.mode & 0o100 else 0
    if name.endswith(".php"):
        os.chown(path, 0, group)
        path.chmod(0o640)
    else:
        path.chmod(0o644 | run_bits)
    os.utime(path, (entry.mtime, entry.mtime))


def through(path: Path, root: Path) -> None:
    """Refuses a path below `root` that is a link or leads by one: several links together may lead out of the site."""
    name = path.relative_to(root)
    for above in (name, *name.parents):
        if (root / above).is_symlink():
            raise ContentError(f"'{name}' would be written through a link")


def refuse_expressions(path: Path, name: str) -> None:
    """Refuses an .htaccess that may ask what is in another site's files: httpd reads them all (CVE-2026-24072)."""
    text = path.read_bytes() if path.stat().st_size <= ACCESS_BYTES else b"expr"
    if EXPRESSION.search(re.sub(rb"\\\r?\n", b"", text)):
        raise ContentError(f"'{name}' has 'expr' or '<If', by which a site could read others' files: leave that out")
