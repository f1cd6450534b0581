"""The folders of a site, as they have to be, on this node and in the store."""

from __future__ import annotations

import grp
import os
import shutil
import stat
from typing import TYPE_CHECKING

from .errors import Failed
from .site import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from .site import Site

EMPTY = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{0}</title>
<h1>the site {0} has no release yet</h1><p>lab site deploy {0} ./folder</p></html>
"""


def folder(path: Path, mode: int, owner: int, group: int | str) -> None:
    """A directory as it has to be; never by a link, which the site may have put there while the place was its own."""
    if path.is_symlink():
        raise Failed(f"{path} is a link: remove it, since a folder is to be there")
    number = group if isinstance(group, int) else grp.getgrnam(group).gr_gid
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    there = path.stat()
    if (there.st_uid, there.st_gid) != (owner, number):
        os.chown(path, owner, number)
    if stat.S_IMODE(path.stat().st_mode) != mode:
        path.chmod(mode)


def local(site: Site) -> None:
    """What of it lies on this node, with a page for as long as it has no release."""
    folder(site.local, 0o750, 0, site.visible)
    folder(site.local / "releases", 0o751, 0, site.visible)
    folder(site.local / "tmp", 0o700, site.number, site.user)
    for draft in (site.local / "releases").glob(".*"):
        shutil.rmtree(draft, ignore_errors=True)
    if not site.served and not (site.local / "releases" / NOTHING).is_dir():
        folder(site.local / "releases" / NOTHING, 0o751, 0, site.visible)
        page = site.local / "releases" / NOTHING / "index.html"
        page.write_text(EMPTY.format(site.name))
        page.chmod(0o644)
    if not site.served:
        point(site, NOTHING)


def stored(site: Site) -> None:
    """What of it lies in the store. All above a folder of the site's own is root's: it can put no link there."""
    folder(site.store, 0o750, 0, site.visible)
    folder(site.store / "releases", 0o700, 0, "root")
    folder(site.store / "data", 0o751, 0, site.visible)
    folder(site.store / "sessions", 0o700, site.number, site.user)
    for each in site.writable:
        at = site.store / "data"
        *above, last = each.split("/")
        for part in above:
            at /= part
            folder(at, 0o751, 0, site.visible)
        folder(at / last, 0o2755, site.number, site.visible)


def point(site: Site, release: str) -> None:
    """Serves a release from now on: the link for files, and its own path, by which PHP gets its programs."""
    place = site.local / "releases" / release
    text, link = (site.local / f".{name}.{os.getpid()}" for name in ("root", "current"))
    for draft in (text, link):
        draft.unlink(missing_ok=True)
    text.write_text(str(place))
    text.chmod(0o644)
    link.symlink_to(f"releases/{release}")
    text.replace(site.local / "root")
    link.replace(site.local / "current")
