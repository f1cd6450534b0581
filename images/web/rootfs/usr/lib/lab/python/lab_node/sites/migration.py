"""A node's own store, where the cluster got a shared filesystem since: its releases and files move there."""

from __future__ import annotations

import grp
import shutil
import subprocess
from typing import TYPE_CHECKING

from . import settings
from .errors import Failed
from .site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OWN = "store"  # of the folder of the sites, where there is no shared filesystem
MOVED = ".moved"


def migrate(site: Site) -> None:
    """Adds what this node's own store has to the shared one, once; the node's own is kept under another name.

    Each node had files of its own in the writable folders: all of them are brought together. Of two with one name the
    first that comes is taken.
    """
    own = settings.LOCAL / OWN / site.name
    if own == site.store or not own.is_dir():
        return
    before = Site(site.name, vars(site), {"store": str(own.parent), "httpd": site.httpd})
    for each in site.writable:
        if (own / "data" / each).is_dir():
            added(site, own / "data" / each, site.store / "data" / each)
    added(site, own / "sessions", site.store / "sessions")
    for path in (own / "releases").glob("[0-9]*"):
        copied(path, site.store / "releases" / path.name)
    if not site.named_release or (before.noted("switched") or before.named_release) > (
        site.noted("switched") or site.named_release
    ):
        for file in ("served", "switched", "current"):
            if (own / file).exists():
                copied(own / file, site.store / file, anew=True)
    own.rename(free(own.parent, (f"{site.name}{MOVED}{number or ''}" for number in range(1000))))
    print(f"{site.name}: what this node's own store had is in the shared one now", flush=True)


def added(site: Site, source: Path, target: Path) -> None:
    """Copies files that are not there yet, as the site."""
    copy = ["cp", "-rn", "--no-preserve=mode,ownership", f"{source}/.", f"{target}/"]
    groups = [grp.getgrnam(site.visible).gr_gid]
    try:
        subprocess.run(copy, user=site.number, group=site.number, extra_groups=groups, check=True)
    except subprocess.CalledProcessError:
        raise Failed(f"{source} can't be copied to {target}") from None


def copied(source: Path, target: Path, *, anew: bool = False) -> None:
    """Copies one file, whole or not at all."""
    if target.exists() and not anew:
        return
    draft = target.with_name(f".{target.name}")
    shutil.copyfile(source, draft)
    draft.replace(target)


def free(place: Path, names: Iterable[str]) -> Path:
    """The first of these names that nothing has."""
    return next(place / name for name in names if not (place / name).exists())
