"""The folder `~/sites/NAME` of a site's owner. All of this is done as the owner (`person`), and follows no link."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tarfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from .errors import ContentError, Failed
from .release import inside

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

HOMES, PLACE = Path("/home"), "sites"
LEFT_OUT = frozenset({".git", ".hg", ".svn", ".DS_Store"})
MOST_ENTRIES = 50_000
MOST_BYTES = 1 << 30
LEVEL = 1  # of gzip
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@contextlib.contextmanager
def opened(*parts: str, make: bool = False) -> Iterator[int]:
    """A folder below the homes, by its parts, none of them a link; `make`: creates those that lack."""
    fd = os.open(HOMES, DIRECTORY)
    try:
        for part in parts:
            with contextlib.suppress(FileExistsError):
                if make:
                    os.mkdir(part, 0o700, dir_fd=fd)
            try:
                below = os.open(part, DIRECTORY, dir_fd=fd)
            except NotADirectoryError:
                raise Failed(f"{HOMES.joinpath(*parts)} is a link or a file, and no folder") from None
            os.close(fd)
            fd = below
        yield fd
    finally:
        os.close(fd)


def entries(
    top: int, writable: Collection[str], left_out: Collection[str] = LEFT_OUT
) -> Iterator[tuple[str, int, str, os.stat_result]]:
    """What a release would have of a folder: path, folder (open), name and what the file system says; sorted.

    Raises:
        FileNotFoundError: an entry was removed meanwhile.
    """
    count = size = 0
    for at, folders, files, fd in os.fwalk(".", dir_fd=top, onerror=_refuse, follow_symlinks=False):
        below = []
        for name in sorted({*folders, *files}.difference(left_out)):
            path = os.path.normpath(os.path.join(at, name))
            if inside(path, writable):
                continue
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                below.append(name)
            count, size = count + 1, size + (status.st_size if stat.S_ISREG(status.st_mode) else 0)
            if count > MOST_ENTRIES or size > MOST_BYTES:
                raise ContentError(f"it has more than {MOST_ENTRIES} files or {MOST_BYTES >> 20} MiB")
            yield path, fd, name, status
        folders[:] = below


def _refuse(error: OSError) -> NoReturn:
    raise error  # os.fwalk skips a folder that can't be opened


def look(owner: str, site: str, writable: Collection[str]) -> dict[str, Any]:
    """Whether it is `there` and a `home` is; `tree`, a digest of all files' times and sizes; `files`, their number.

    `tree` is empty where a file was removed during the look.
    """
    with contextlib.ExitStack() as stack:
        try:
            top = stack.enter_context(opened(owner, PLACE, site))
        except FileNotFoundError:
            return {"there": False, "home": (HOMES / owner).is_dir(), "tree": "", "files": 0}
        try:
            digest, files = summed(top, writable)
        except FileNotFoundError:
            digest, files = "", 0
        return {"there": True, "home": True, "tree": digest, "files": files}


def summed(top: int, writable: Collection[str], left_out: Collection[str] = LEFT_OUT) -> tuple[str, int]:
    """A digest of the times and sizes of all files of a folder, and their number."""
    digest, files = hashlib.sha256(), 0
    for path, fd, name, status in entries(top, writable, left_out):
        link = os.readlink(name, dir_fd=fd) if stat.S_ISLNK(status.st_mode) else ""
        folder = stat.S_ISDIR(status.st_mode)
        files += stat.S_ISREG(status.st_mode)
        row = (path, status.st_mode, link, 0 if folder else status.st_size, 0 if folder else status.st_mtime_ns)
        digest.update(repr(row).encode("utf-8", "surrogateescape"))
    return digest.hexdigest(), files


def pack(owner: str, site: str, writable: Collection[str], out: IO[bytes]) -> None:
    """Writes it as an archive. What is exchanged for a link or a pipe meanwhile is not followed, or waited for."""
    with (
        opened(owner, PLACE, site) as top,
        tarfile.open(fileobj=out, mode="w:gz", compresslevel=LEVEL, format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, fd, name, status in entries(top, writable):
            info = tarfile.TarInfo(path)
            info.mode, info.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
            if stat.S_ISDIR(status.st_mode):
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            elif stat.S_ISLNK(status.st_mode):
                info.type, info.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=fd)
                tar.addfile(info)
            elif stat.S_ISREG(status.st_mode):
                with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd), "rb") as content:
                    now = os.fstat(content.fileno())
                    if not stat.S_ISREG(now.st_mode) or now.st_size != status.st_size:
                        raise Failed(f"{path} changed meanwhile")
                    info.size = now.st_size
                    tar.addfile(info, content)
            else:
                raise ContentError(f"{path} is neither a file nor a folder nor a link")
    out.flush()  # this process ends without more


def fill(owner: str, site: str, archive: IO[bytes], known: str, aside: str) -> dict[str, Any]:
    """Puts the files of a release in the folder's place: `tree`, their digest, and whether the former is `aside`.

    Args:
        owner: whose folder it is.
        site: the site.
        archive: the release.
        known: the digest of the release that the former folder showed; the folder is removed if it has nothing else.
        aside: the name that the former folder gets.
    """
    draft = f".{site}.{os.getpid()}"
    with opened(owner, PLACE, make=True) as place:
        os.mkdir(draft, 0o755, dir_fd=place)
        try:
            new = os.open(draft, DIRECTORY, dir_fd=place)
            os.fchdir(new)
            extracted(archive)
            digest, _ = summed(new, ())  # before the owner can change a file of it
            os.close(new)
            with contextlib.suppress(FileNotFoundError):
                os.rename(site, aside, src_dir_fd=place, dst_dir_fd=place)
            os.rename(draft, site, src_dir_fd=place, dst_dir_fd=place)
            if shows(place, aside, known):
                os.rename(aside, f"{draft}.former", src_dir_fd=place, dst_dir_fd=place)
            return {"tree": digest, "aside": present(place, aside)}
        finally:
            os.fchdir(place)
            for left in (draft, f"{draft}.former"):
                shutil.rmtree(left, ignore_errors=True)


def shows(place: int, name: str, known: str) -> bool:
    """Whether a folder has the files of that digest and nothing else, not even what no release has."""
    try:
        top = os.open(name, DIRECTORY, dir_fd=place)
    except OSError:
        return False
    try:
        return summed(top, (), left_out=())[0] == known
    except (Failed, OSError):
        return False
    finally:
        os.close(top)


def present(place: int, name: str) -> bool:
    """Whether there is an entry of that name."""
    try:
        os.stat(name, dir_fd=place, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def extracted(archive: IO[bytes]) -> None:
    """The files of a release, into the current folder."""
    with tarfile.open(fileobj=archive, mode="r|") as tar:
        for entry in tar:
            path = Path(entry.name)
            if entry.isdir():
                path.mkdir(mode=0o755, exist_ok=True)
            elif entry.issym():
                path.symlink_to(entry.linkname)
            else:
                content = tar.extractfile(entry)
                with path.open("xb") as file:
                    if content is not None:
                        shutil.copyfileobj(content, file)
                path.chmod(0o755 if entry.mode & 0o100 else 0o644)
                os.utime(path, (entry.mtime, entry.mtime))


def note(owner: str, site: str, text: str) -> None:
    """Writes for the owner the state of the folder, into the file beside it."""
    with opened(owner, PLACE, make=True) as place:
        draft = f".{site}.status.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(draft, flags, 0o644, dir_fd=place), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(draft, f"{site}.status", src_dir_fd=place, dst_dir_fd=place)
