"""The working copies of the sites' owners: what one changes at `~/sites/NAME` is a release, once it has settled.

One web node at a time looks after a site. It reads and writes the folder as the owner. A release that came another
way (`lab site deploy`, `rollback`, `sync`, a restore) takes the folder's place; what the owner had changed in it and
was not served yet is kept beside it. docs/decisions/059-working-copies.md says why.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import tarfile
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import folders, inbox, links, person, release, settings, store, tree
from .errors import TROUBLE, ContentError
from .site import all_of_them, one

if TYPE_CHECKING:
    from .site import Site

STATES = ".copies"  # beside the sites' folders in the store: a restored site does not bring its former state along
LOOK_SECONDS = 1.0
REST = 10  # times as long as a look took, until the next
LEASE_SECONDS = 60.0


class WorkingCopy:
    """The working copy of one site, as this node looks after it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.next = 0.0
        self.lease, self.since, self.count = "", time.monotonic(), 0
        self.last = self.refused = self.trouble = ""
        self.unserved = False  # what the owner was told last

    @property
    def site(self) -> Site:
        """The site as the plan has it now."""
        return one(self.name)

    def file(self, kind: str) -> Path:
        """A file of the store that is about this copy."""
        return self.site.store.parent / STATES / f"{self.name}.{kind}"

    @property
    def state(self) -> dict[str, str]:
        """`owner`, and the `release` and `tree` that were the same last."""
        try:
            record: dict[str, str] = json.loads(self.file("json").read_text())
        except (FileNotFoundError, ValueError):
            return {"owner": "", "release": "", "tree": ""}
        return record

    def keep(self, number: str, digest: str) -> None:
        """Notes that a tree and a release are the same now."""
        write(self.file("json"), json.dumps({"owner": self.site.owner, "release": number, "tree": digest}))

    def leads(self) -> bool:
        """Whether this node looks after it: it has the lease, or no node renewed that for long."""
        mine, now = socket.gethostname(), time.monotonic()
        try:
            text = self.file("lease").read_text()
        except FileNotFoundError:
            text, self.since = "", 0.0
        if text != self.lease:
            self.lease, self.since = text, now
        if text.split(" ")[0] != mine and now - self.since < LEASE_SECONDS:
            return False
        self.count += 1
        self.lease, self.since = f"{mine} {self.count}", now
        write(self.file("lease"), self.lease)
        return True

    def exchange(self) -> None:
        """Looks once, and does what is to be done."""
        site, state = self.site, self.state
        view = person.done_as(site.owner, lambda: tree.look(site.owner, site.name, site.writable))
        if not view["home"]:
            return  # made at the owner's first login
        if view["there"] and not view["tree"]:
            return  # a file was removed during the look
        if state["owner"] != site.owner or state["release"] != site.named_release or not view["there"]:
            if site.served == site.named_release:
                self.follow(site, state["tree"] if state["owner"] == site.owner else "")
        elif view["tree"] not in (state["tree"], self.refused) and view["files"]:
            if view["tree"] == self.last:
                self.publish(site, view["tree"])
            self.last = view["tree"]
        elif self.unserved and view["tree"] == state["tree"]:
            self.say(site, f"The same as the release {state['release'] or '(none yet)'}, which is served.\n")
            self.unserved = False

    def follow(self, site: Site, known: str) -> None:
        """Has the copy show the release that is served. `known`: the tree that it showed, which need not be kept."""
        shown, aside = site.served, f"{site.name}.{stamp()}"
        with tempfile.TemporaryFile(dir=settings.LOCAL) as archive:
            written(site, shown, archive)
            archive.seek(0)
            result = person.done_as(site.owner, lambda: tree.fill(site.owner, site.name, archive, known, aside))
        self.keep(shown, result["tree"])
        notice = f"\nWhat you had changed is in {aside}." if result["aside"] else ""
        self.say(site, f"The same as the release {shown or '(none yet)'}, which is served.{notice}\n")
        self.unserved = False

    def publish(self, site: Site, digest: str) -> None:
        """Makes a release of the copy, and serves it."""
        number = f"{stamp()}-{digest[:8]}"
        source = Path(tempfile.mkdtemp(dir=settings.LOCAL, prefix=inbox.PREFIX))
        try:
            with (source / "part-0000").open("wb") as out:
                person.done_as(site.owner, lambda: tree.pack(site.owner, site.name, site.writable, out))
            store.store(site.name, number, str(source))
        except ContentError:
            self.refused = digest
            raise
        finally:
            shutil.rmtree(source, ignore_errors=True)
        with store.alone():
            if site.named_release != self.state["release"]:
                return  # another release came meanwhile; the next look follows it
            store.named(site, number, stamp())
            release.converge(site, whole=False)
        self.keep(number, digest)
        self.say(site, f"The same as the release {number}, which is served.\n")
        self.unserved = False

    def say(self, site: Site, text: str) -> None:
        """Tells the owner, in the file beside the copy."""
        person.done_as(site.owner, lambda: tree.note(site.owner, site.name, text))

    def turn(self) -> None:
        """Looks, if it is time; says each trouble once."""
        if time.monotonic() < self.next or not self.leads():
            return
        began, because = time.monotonic(), ""
        try:
            self.exchange()
        except TROUBLE as error:
            because = str(error)
        if because and because != self.trouble:
            site = self.site
            print(f"{self.name}: ~/sites/{self.name} of {site.owner}: {because}", flush=True)
            with contextlib.suppress(*TROUBLE):
                self.say(site, f"Not served: {because}\nServed is the release {site.named_release or '(none yet)'}.\n")
                self.unserved = True
        self.trouble = because
        self.next = time.monotonic() + REST * (time.monotonic() - began)


def stamp() -> str:
    """The time (UTC), as releases are named by it."""
    now = datetime.now(timezone.utc)
    return f"{now:%Y%m%d-%H%M%S}{now.microsecond // 1000:03d}"


def write(path: Path, text: str) -> None:
    """A file of root's, whole or not at all."""
    folders.folder(path.parent, 0o700, 0, 0)
    draft = path.with_name(f".{path.name}.{socket.gethostname()}")
    draft.write_text(text)
    draft.replace(path)


def written(site: Site, number: str, out: IO[bytes]) -> None:
    """A release as an archive, without what the site writes itself."""
    root = site.local / "releases" / number
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in sorted(links.paths(root)) if number else ():
            name = str(path.relative_to(root))
            if not release.inside(name, site.writable):
                tar.add(path, name, recursive=False)


def follow() -> None:
    """Looks after all of them, for ever: each by a process of its own, so that none waits for another's."""
    running: dict[str, int] = {}
    signal.signal(signal.SIGTERM, lambda *_: _end(running))
    while True:
        owners = {name: site.owner for name, site in all_of_them().items() if site.owner}
        for name, process in list(running.items()):
            if name not in owners:
                os.kill(process, signal.SIGKILL)
            if os.waitpid(process, os.WNOHANG)[0]:
                del running[name]
        for name in owners.keys() - running.keys():
            running[name] = os.fork()
            if not running[name]:
                _alone(name)
        time.sleep(LOOK_SECONDS)


def _alone(name: str) -> None:
    """The process of one copy: ends with its parent, and when it has failed."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent, copy = os.getppid(), WorkingCopy(name)
    try:
        while os.getppid() == parent:
            if f" {tree.HOMES} fuse.glusterfs " in Path("/proc/mounts").read_text() and not settings.away():
                copy.turn()
            time.sleep(LOOK_SECONDS)
    except Exception as error:  # noqa: BLE001  it is begun again
        print(f"{name}: {error}", flush=True)
    finally:
        os._exit(0)


def _end(running: dict[str, int]) -> None:
    for process in running.values():
        os.kill(process, signal.SIGKILL)
    os._exit(0)
