"""Packs a folder of this machine into one archive: the same bytes for the same files."""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn, cast

from lab.errors import SpecError
from lab.services.archive import Archive

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

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
        base: of a revision, the release that has all other files; else empty.
        gone: paths of the base that a revision has no more.
    """

    archive: Archive
    files: int
    size: int
    release: str
    base: str = ""
    gone: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The last part of the release's name."""
        return self.release.rpartition("-")[2]


class _Hashed:
    """What a tar is written to: compresses it, and keeps the digest of what was not compressed."""

    def __init__(self, out: Archive) -> None:
        self.digest = hashlib.sha256()
        self._out = gzip.GzipFile("", "wb", LEVEL, cast("IO[bytes]", out), mtime=0)

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self._out.write(data)

    def close(self) -> None:
        self._out.close()


def packed(folder: Path, without: Collection[str] = ()) -> Packed:
    """Packs all files of a folder but those of version control.

    Args:
        folder: the folder.
        without: folders in it that are left out, by their paths there.

    Raises:
        SpecError: the path is no folder, or the folder is empty, can't be read, or has a link that leads out of it.
    """
    refuse_no_folder(folder)
    package = _archive(folder, paths(folder, without))
    if not package.files:
        raise SpecError(f"the folder {folder} has no file", where=str(folder))
    return package


def revision(folder: Path, base: str, changed: Iterable[str], gone: Iterable[str]) -> Packed:
    """Packs some paths of a folder: what a release has else or more than its base.

    Raises:
        SpecError: one can't be read, or is a link that leads out of the folder.
    """
    package = _archive(folder, (folder / name for name in changed))
    return replace(package, base=base, gone=tuple(gone))


def refuse_no_folder(folder: Path) -> None:
    """Refuses a path that is no folder.

    Raises:
        SpecError: it is none.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "was not found"
        raise SpecError(
            f"the folder {folder} {what}", where=str(folder), next_step="name a folder with the site's files"
        )


def stamp() -> str:
    """The time (UTC) to the millisecond, such as `20261127-200000123`: in the order of time as texts."""
    now = datetime.now(UTC)
    return f"{now:%Y%m%d-%H%M%S}{now.microsecond // 1000:03d}"


def _archive(folder: Path, names: Iterable[Path]) -> Packed:
    archive, files, size = Archive(), 0, 0
    out = _Hashed(archive)
    try:
        with tarfile.open(fileobj=cast("IO[bytes]", out), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for path in names:
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
    out.close()
    return Packed(archive, files, size, f"{stamp()}-{out.digest.hexdigest()[:DIGITS]}")


def paths(folder: Path, without: Collection[str] = ()) -> Iterator[Path]:
    """All paths below a folder, each folder before its content.

    Raises:
        OSError: a folder can't be read.
    """
    left_out = {folder / name for name in without}

    def refuse(error: OSError) -> NoReturn:
        raise error  # os.walk skips a folder that can't be read

    for parent, folders, files in os.walk(folder, onerror=refuse):
        at = Path(parent)
        folders[:] = sorted(name for name in set(folders) - LEFT_OUT if at / name not in left_out)
        for name in sorted([*folders, *(set(files) - LEFT_OUT)]):
            if at / name not in left_out:
                yield at / name


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
