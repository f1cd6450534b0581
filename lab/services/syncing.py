"""Deploys each change of a folder at once: one release of all files, and small revisions of it."""

from __future__ import annotations

import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.services import sites
from lab.services.packing import Packed, packed, paths, refuse_no_folder, revision

if TYPE_CHECKING:
    from pathlib import Path

    from lab.backends.base import Backend

LARGE = 16 << 20
"""Bytes of a revision, compressed: from there on a whole release is begun anew."""

LOOK_SECONDS = 5.0
"""How long the nodes are taken to be those that were there; one that fails is noticed at once."""

Snapshot = dict[str, tuple[int, ...]]
"""What the file system says of each path."""


@dataclass(frozen=True)
class Exchanged:
    """What was brought to the site.

    Attributes:
        release: the one that is served now.
        changed: number of files, folders and links that are new or different.
        gone: number of those that were removed.
        seconds: from the look at the folder until every web node serves it.
    """

    release: str
    changed: int
    gone: int
    seconds: float


@dataclass
class Sync:
    """One folder and one site.

    Attributes:
        backend: where the cluster runs.
        site: the site.
        folder: the folder.
        base: the release that revisions are of; empty before the first exchange.
        nodes: those that have what the folder has.
    """

    backend: Backend
    site: str
    folder: Path
    base: str = ""
    nodes: frozenset[str] = frozenset()
    _of_base: Snapshot = field(default_factory=dict)
    _sent: Snapshot = field(default_factory=dict)
    _nodes: sites.Sites | None = None
    _looked: float = 0.0

    def exchange(self) -> Exchanged | None:
        """Brings what has changed since the last time; None where nothing has.

        Raises:
            SpecError: the folder can't be packed, is no folder any more, or the site has gone.
            BackendError: a web node failed; the same call tries again.
        """
        began = time.monotonic()
        refuse_no_folder(self.folder)
        running = self._running()
        running.admit(self.site)
        writable = running.writable.get(self.site, ())
        now = snapshot(self.folder, writable)
        new = len(running.holders) > 1 and not set(running.holders) <= self.nodes
        if self.base and now == self._sent and not new:
            return None
        changed, gone = difference(self._sent, now)
        self._nodes = None  # after a failure they are looked at again
        release = self._revised(running, now) if self.base and not new else ""
        if not release:
            release = self._whole(running, now, writable)
        self._sent, self.nodes, self._nodes = now, frozenset(running.nodes), running
        return Exchanged(release, len(changed), len(gone), time.monotonic() - began)

    def behind(self) -> bool:
        """Whether a node with a store of its own lacks what the folder has, such as one that was down."""
        running = self._running()
        return len(running.holders) > 1 and not set(running.holders) <= self.nodes

    def _running(self) -> sites.Sites:
        """The web nodes and their sites, as they were at most `LOOK_SECONDS` ago."""
        if self._nodes is None or time.monotonic() - self._looked > LOOK_SECONDS:
            self._nodes, self._looked = sites.look(self.backend), time.monotonic()
        return self._nodes

    def _whole(self, running: sites.Sites, now: Snapshot, writable: tuple[str, ...]) -> str:
        """All files, as a release that revisions are of."""
        package = packed(self.folder, writable)
        stored = {one.release: one for one in sites.releases(self.backend, self.site)}
        current = next((one for one in stored.values() if one.current), None)
        alone = len(running.holders) == 1
        if alone and current and not current.base and current.release.endswith(package.digest):
            self.base, self._of_base = current.release, now
            return self.base
        sites.bring(self.backend, running, self.site, package)
        self.base, self._of_base = package.release, now
        return self.base

    def _revised(self, running: sites.Sites, now: Snapshot) -> str:
        """What differs from the base; empty where a whole release has to be begun."""
        changed, gone = difference(self._of_base, now)
        package: Packed = revision(self.folder, self.base, changed, gone)
        if package.archive.size > LARGE:
            return ""
        try:
            sites.revise(self.backend, running, self.site, package)
        except SpecError as error:
            if f"no release {self.base}" not in error.what:
                raise
            return ""  # other releases have replaced it
        return package.release


def snapshot(folder: Path, without: tuple[str, ...]) -> Snapshot:
    """What is in a folder now.

    Raises:
        SpecError: it can't be read.
    """
    entries: Snapshot = {}
    try:
        for path in paths(folder, without):
            try:
                of = path.lstat()
            except FileNotFoundError:
                continue  # it has just been removed
            whole = () if stat.S_ISDIR(of.st_mode) else (of.st_size, of.st_mtime_ns, of.st_ino)
            entries[path.relative_to(folder).as_posix()] = (of.st_mode, *whole)
    except OSError as error:
        raise SpecError(f"{error.filename or folder} can't be read: {error.strerror}", where=str(folder)) from None
    return entries


def difference(before: Snapshot, now: Snapshot) -> tuple[list[str], list[str]]:
    """The paths that are new or different, and those to remove first: gone, of another kind now, or a different link.

    A node writes nothing through a link, so that one is never replaced by its successor.
    """
    changed = [path for path, of in now.items() if before.get(path) != of]
    gone = [path for path, of in before.items() if path not in now or _replaced(of, now[path])]
    return changed, gone


def _replaced(before: tuple[int, ...], now: tuple[int, ...]) -> bool:
    """Whether the former entry has to be removed before the new one is written."""
    return stat.S_IFMT(before[0]) != stat.S_IFMT(now[0]) or (stat.S_ISLNK(now[0]) and before != now)
