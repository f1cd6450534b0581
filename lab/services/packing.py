"""Packs a folder of this machine into one archive: the same bytes for the same files."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from lab.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterator

LEFT_OUT = frozenset({".git", ".hg", ".svn", ".DS_Store"})
LEVEL = 1  # of gzip: a short time matters more than a small archive
DIGITS = 8


@dataclass(frozen=True)
class Packed:
    """A packed release.

    Attributes:
        archive: a gzipped tar.
        files: their number.
        size: bytes of all files, not compressed.
        release: its name: the time (UTC), and the first digits of the content's digest.
    """

    archive: bytes
    files: int
    size: int
    release: str

    @property
    def digest(self) -> str:
        """The last part of the release's name."""
        return self.release.rpartition("-")[2]


def packed(folder: Path) -> Packed:
    """Packs all files of a folder but those of version control.

    Raises:
        SpecError: the path is no folder, or the folder is empty, can't be read, or has a link that leads out of it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "was not found"
        raise SpecError(
            f"the folder {folder} {what}", where=str(folder), next_step="name a folder with the site's files"
        )
    buffer, files, size = io.BytesIO(), 0, 0
    try:
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in _paths(folder):
                info = _entry(tar, path, folder)
                if info.isreg():
                    files, size = files + 1, size + info.size
                    with path.open("rb") as content:
                        tar.addfile(info, content)
                else:
                    tar.addfile(info)
    except OSError as error:
        why = error.strerror or "it changed meanwhile"
        raise SpecError(f"{error.filename or folder} can't be read: {why}", where=str(folder)) from None
    if not files:
        raise SpecError(f"the folder {folder} has no file", where=str(folder))
    archive = buffer.getvalue()
    digest = hashlib.sha256(archive).hexdigest()[:DIGITS]
    now = datetime.now(UTC)
    release = f"{now:%Y%m%d-%H%M%S}{now.microsecond // 1000:03d}-{digest}"
    return Packed(gzip.compress(archive, LEVEL, mtime=0), files, size, release)


def _paths(folder: Path) -> Iterator[Path]:
    """All paths below a folder, each folder before its content."""

    def refuse(error: OSError) -> NoReturn:
        raise error  # os.walk skips a folder that can't be read

    for parent, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(set(folders) - LEFT_OUT)
        for name in sorted([*folders, *(set(files) - LEFT_OUT)]):
            yield Path(parent) / name


def _entry(tar: tarfile.TarFile, path: Path, folder: Path) -> tarfile.TarInfo:
    name = path.relative_to(folder).as_posix()
    info: tarfile.TarInfo | None = tar.gettarinfo(path, name)
    if info is None or not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        raise SpecError(f"{path} is neither a file nor a folder nor a link", where=str(folder), next_step="remove it")
    if info.islnk():  # a second name of a file that the archive has: its content again
        info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
    if info.issym():
        _stays(path, info.linkname, name, folder)
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = int(info.mtime)
    return info


def _stays(path: Path, target: str, name: str, folder: Path) -> None:
    inside = os.path.normpath(f"{name}/../{target}")
    if target.startswith("/") or inside == ".." or inside.startswith("../"):
        raise SpecError(
            f"the link {path} leads out of the folder, to {target}",
            where=str(folder),
            next_step="copy what it leads to, or remove it",
        )
