"""The store of the sites' releases: takes archives, and names the release that all nodes serve."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import folders, inbox, release, settings
from .errors import Failed
from .site import one

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .site import Site

KEPT = 5  # releases, and as many revisions of one
PREVIOUS = "previous"
BASE = "base"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One at a time on this node."""
    settings.RUN.mkdir(exist_ok=True)
    with (settings.RUN / "sites.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def admit(size: int | str) -> None:
    """Refuses what the store has no room for."""
    away = settings.away()
    if away:
        raise Failed(away)
    place = Path(settings.read()["store"])
    folders.folder(place, 0o755, 0, 0)
    free = os.statvfs(place)
    room = free.f_bavail * free.f_frsize
    if int(size) > room:
        raise Failed(f"{int(size) >> 20} MiB are more than the {room >> 20} MiB that are free where releases are kept")


def store(name: str, number: str, source: str) -> None:
    """Takes a release from the inbox, whole or not at all. What is in its archive is looked at first.

    Args:
        name: the site.
        number: the release.
        source: a folder with the parts of the archive and, of a revision, `base`: JSON with its base and what is gone.
    """
    try:
        with alone():
            taken(one(name), number, Path(source))
    finally:
        shutil.rmtree(source, ignore_errors=True)


def taken(site: Site, number: str, source: Path) -> None:
    """What `store` does, by the process that holds the lock."""
    header = json.loads((source / BASE).read_text()) if (source / BASE).exists() else {}
    if header and header["base"] not in site.releases():
        raise Failed(f"the store has no release {header['base']} of {site.name}")
    folders.stored(site)
    archive, draft, based = (
        site.store / "releases" / each for each in (f"{number}.tar.gz", f".{number}", f"{number}.base")
    )
    try:
        # On this node's own disk first, since the shared filesystem is slow to read.
        with tempfile.NamedTemporaryFile(dir=settings.LOCAL, prefix=inbox.PREFIX) as whole:
            inbox.joined(source, whole)
            whole.flush()
            release.room(Path(whole.name))
            admit(os.fstat(whole.fileno()).st_size)
            whole.seek(0)
            with draft.open("wb") as out:
                shutil.copyfileobj(whole, out, 1 << 20)
                out.flush()
                os.fsync(out.fileno())
        if header:
            based.write_text(json.dumps(header))
        draft.rename(archive)
        release.unpack(site, number)
    except BaseException:
        for left in (archive, based):
            left.unlink(missing_ok=True)  # or 'previous' would mean it one day
        raise
    finally:
        draft.unlink(missing_ok=True)


def before(site: Site) -> str:
    """The release that was served before this one; of a revision its base, also if others were served between.

    Raises:
        Failed: there is none.
    """
    base = site.base(site.named_release)
    limit = base or site.named_release
    older = [each for each in site.releases() if each < limit and each in site.once_served()]
    if base in site.releases():
        older.append(base)
    if not older:
        raise Failed(f"the site '{site.name}' has no release before {site.named_release or 'the first'}")
    return older[-1]


def switch(name: str, number: str, stamp: str = "") -> None:
    """Has the store name a release, `previous` for the one before; prints it. `stamp`: when that was decided."""
    site = one(name)
    number = before(site) if number == PREVIOUS else number
    named(site, number, stamp)
    print(number)


def named(site: Site, number: str, stamp: str) -> None:
    """Has the store name a release, and keeps as many as are to be kept."""
    there = site.releases()
    if number not in there:
        raise Failed(f"the site '{site.name}' has no release '{number}'; it has: {', '.join(there) or 'none'}")
    served = "\n".join(sorted({*site.once_served(), number} & set(there)))
    for file, text in (("served", served), ("current", number), ("switched", stamp)):
        draft = site.store / f".{file}"
        draft.write_text(text)
        draft.replace(site.store / file)
    release.prune(site, site.store / "releases", worth_keeping(site, number), Path.unlink)


def worth_keeping(site: Site, number: str) -> set[str]:
    """The newest releases, the newest revisions of them, what is served, and what that is a revision of."""
    bases = {each: site.base(each) for each in site.releases()}
    whole = [each for each, base in bases.items() if not base][-KEPT:]
    revisions = [each for each, base in bases.items() if base in whole][-KEPT:]
    chosen = {*whole, *revisions, number, site.named_release, site.served}
    return chosen | {bases.get(each, "") for each in chosen}


def tell(name: str) -> None:
    """Prints releases and the one that is served."""
    site = one(name)
    rows = []
    for each in site.releases():
        size = site.archive(each).stat().st_size
        rows.append({"release": each, "bytes": size, "current": each == site.named_release, "base": site.base(each)})
    print(json.dumps({"served": site.served, "switched": site.noted("switched"), "releases": rows}))
