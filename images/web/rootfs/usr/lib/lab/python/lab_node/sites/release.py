"""A release on this node's own disk: unpacked beside the others, whole or not at all."""

from __future__ import annotations

import grp
import os
import shutil
import subprocess
import tarfile
import threading
from typing import TYPE_CHECKING

from . import entries, folders, links, settings
from .errors import ContentError, Failed
from .site import ARCHIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from .site import Site


def unpack(site: Site, release: str) -> None:
    """Unpacks a release beside those that are here, under another name until it is whole.

    One that is here is unpacked again where other folders of it are writable by now.
    """
    target = site.local / "releases" / release
    if target.is_dir() and links.led(site, target) == set(site.writable):
        return
    base = site.base(release)
    if base:
        unpack(site, base)
    draft = site.local / "releases" / f".{release}.{os.getpid()}.{threading.get_ident()}"
    former = draft.with_name(f"{draft.name}.former")
    try:
        draft.mkdir(mode=0o751)
        if base:
            revised(site, site.local / "releases" / base, site.gone(release), draft)
        with tarfile.open(site.archive(release)) as tar:
            for entry in tar:
                if not inside(entry.name, site.writable if base else ()):
                    entries.put(tar, entry, draft, site.number)
        links.look_at(site, draft)
        for each in site.writable:
            lead(site, draft, each)
        draft.chmod(0o751)
        if target.is_dir():
            target.rename(former)
        draft.rename(target)
    except FileNotFoundError:
        raise Failed(f"the store has no release {release} of {site.name}") from None
    finally:
        for left in (draft, former):
            shutil.rmtree(left, ignore_errors=True)


def revised(site: Site, base: Path, gone: Collection[str], draft: Path) -> None:
    """Begins a revision: the files of its base, which both share, without those that are gone."""
    subprocess.run(["cp", "-al", f"{base}/.", f"{draft}/"], check=True)
    for name in gone:
        path = draft / name
        if ".." in path.parts or name.startswith("/") or inside(name, site.writable):
            raise ContentError(f"'{name}' is no file of the release")
        entries.through(path.parent, draft)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def inside(name: str, folders_: Collection[str]) -> bool:
    """Whether a path is one of these folders or in one."""
    return any(name == each or name.startswith(f"{each}/") for each in folders_)


def room(archive: Path) -> None:
    """Refuses an archive with more than this node's disk has room for, and entries that lead out of the site."""
    with tarfile.open(archive) as tar:
        unpacked = sum(entry.size for entry in tar if entries.checked(entry))
    free = os.statvfs(settings.LOCAL)
    if unpacked > free.f_bavail * free.f_frsize:
        raise Failed(f"{unpacked >> 20} MiB of files are more than this node has room for")


def lead(site: Site, root: Path, name: str) -> None:
    """A writable folder of a release leads into the store, to which what it brings is added."""
    path, stored = root / name, site.store / "data" / name
    if path.is_symlink():
        path.unlink()
    if path.is_dir():
        groups = [grp.getgrnam(site.visible).gr_gid]
        copy = ["cp", "-rn", "--no-preserve=mode,ownership", f"{path}/.", f"{stored}/"]
        try:
            subprocess.run(copy, user=site.number, group=site.number, extra_groups=groups, check=True)
        except subprocess.CalledProcessError:
            raise Failed(f"what the release has in '{name}' can't be copied to {stored}") from None
        shutil.rmtree(path)
    elif path.exists():
        raise ContentError(f"'{name}' is to be a writable folder, and is a file in the release")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    path.symlink_to(stored)


def converge(site: Site, *, whole: bool) -> None:
    """Serves what the store names; a node that can't be told goes on with what it has.

    `whole`: looks whether what it has is as it has to be, too.
    """
    release = site.named_release
    if release and whole and release == site.served:
        unpack(site, release)
    if release and release != site.served:
        folders.stored(site)
        unpack(site, release)
        folders.point(site, release)
        print(f"{site.name}: serves the release {release}", flush=True)


def tidy(site: Site) -> None:
    """Removes the releases from this node that the store has no more."""
    folder, releases = site.local / "releases", site.releases()
    prune(site, folder, releases, lambda path: shutil.rmtree(path, ignore_errors=True))


def prune(site: Site, place: Path, releases: Collection[str], remove: Callable[[Path], object]) -> None:
    """Removes what is in a folder of releases and is not to be kept, but for what is served."""
    for path in place.glob("[0-9]*"):
        release = path.name.replace(ARCHIVE, "").replace(".base", "")
        if release not in releases and release not in (site.served, site.named_release):
            remove(path)
