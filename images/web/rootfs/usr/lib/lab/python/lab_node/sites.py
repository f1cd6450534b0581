"""sites VERB ...: the sites of this node, as /etc/lab/sites.json names them.

A release is one archive in the store, which all web nodes share where the cluster has a shared filesystem. Each node
has it unpacked on a disk of its own, and a link, `current`, to the one that is served: many small files are read from
the shared filesystem by none. What a site writes itself, and its visitors' sessions, lie in the store.

    accounts                    makes the system users and the folders of this node; before PHP-FPM reads who they are
    keep                        takes whatever release the store names into use, for ever; HUP: makes folders anew
    converge                    the same, once
    admit BYTES                 whether the store has room
    store SITE RELEASE ARCHIVE  puts an archive into the store
    unpack SITE RELEASE         unpacks it on this node, beside those that are here
    switch SITE RELEASE         has the store name this release; 'previous' for the one before
    tell SITE                   releases and the one in use, as JSON
    exec SITE COMMAND...        runs a command as the site, in the folder of its code
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

SETTINGS = Path("/etc/lab/sites.json")
ENVIRONMENT = Path("/etc/lab/sites.env")
LOCAL = Path("/var/lib/sites")
READY = Path("/run/lab/sites")
FIRST, LAST = 60000, 64999  # the numbers that the plan gives to sites
VISIBLE = 46000  # so much lower is the number of the group that may see a site's files: none of a person's has it
KEPT = 5  # releases
LOOK_SECONDS = 1.0
END_SECONDS = 10.0  # for the processes of a site that is no more
NOTHING = "none"
EMPTY = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{0}</title>
<h1>the site {0} has no release yet</h1><p>lab site deploy {0} ./folder</p></html>
"""


class Failed(Exception):
    """What could not be done, for a person."""


TROUBLE = (Failed, OSError, KeyError, EOFError, tarfile.TarError, zlib.error, subprocess.SubprocessError)
"""What is said in a sentence: of one site, while the others go on."""


class Site:
    """One site on this node."""

    def __init__(self, name: str, told: dict[str, Any], settings: dict[str, Any]) -> None:
        self.name, self.number = name, told["number"]
        self.writable, self.public = told["writable"], told["public"]
        self.user, self.visible = f"site-{name}", f"web-{name}"
        self.local, self.store = LOCAL / name, Path(settings["store"]) / name
        self.httpd = settings["httpd"]

    @property
    def served(self) -> str:
        """The release that this node serves; empty where it serves none."""
        try:
            return (self.local / "current").readlink().name.replace(NOTHING, "")
        except OSError:
            return ""

    @property
    def wanted(self) -> str:
        """The release that the store names; empty where it names none."""
        try:
            return (self.store / "current").read_text().strip()
        except FileNotFoundError:
            return ""

    def releases(self) -> list[str]:
        """The releases in the store, oldest first."""
        return sorted(path.name[: -len(".tar.gz")] for path in (self.store / "releases").glob("[0-9]*.tar.gz"))

    def once_served(self) -> set[str]:
        """The releases that were served; not one that a deployment left that broke off before its end."""
        try:
            return set((self.store / "served").read_text().split())
        except FileNotFoundError:  # an earlier version of the lab noted none
            return {release for release in self.releases() if release <= self.wanted}

    # Its user and its folders.

    def account(self) -> None:
        """The site's user, and the group of those who may see its files: the site and httpd."""
        for group, number in ((self.user, self.number), (self.visible, self.number - VISIBLE)):
            if not known(grp.getgrnam, group):
                run("groupadd", "--gid", number, group)
        if not known(pwd.getpwnam, self.user):
            home, shell = str(self.local), "/usr/sbin/nologin"
            run(
                "useradd",
                "--uid",
                self.number,
                "--gid",
                self.user,
                "--no-create-home",
                "--home-dir",
                home,
                "--shell",
                shell,
                self.user,
            )
        for user in {self.user, self.httpd} - set(grp.getgrnam(self.visible).gr_mem):
            run("usermod", "--append", "--groups", self.visible, user)
        folder(self.local, 0o750, 0, self.visible)
        folder(self.local / "releases", 0o751, 0, self.visible)
        folder(self.local / "tmp", 0o700, self.number, self.user)
        for draft in (self.local / "releases").glob(".*"):
            shutil.rmtree(draft, ignore_errors=True)
        if not self.served and not (self.local / "releases" / NOTHING).is_dir():
            folder(self.local / "releases" / NOTHING, 0o751, 0, self.visible)
            page = self.local / "releases" / NOTHING / "index.html"
            page.write_text(EMPTY.format(self.name))
            page.chmod(0o644)
        if not self.served:
            self.point(NOTHING)

    def shared(self) -> None:
        """What of it lies in the store. All above a folder of the site's own is root's: it can put no link there."""
        folder(self.store, 0o750, 0, self.visible)
        folder(self.store / "releases", 0o700, 0, "root")
        folder(self.store / "data", 0o751, 0, self.visible)
        folder(self.store / "sessions", 0o700, self.number, self.user)
        for each in self.writable:
            at = self.store / "data"
            *above, last = each.split("/")
            for part in above:
                at /= part
                folder(at, 0o751, 0, self.visible)
            folder(at / last, 0o2755, self.number, self.visible)

    # Releases.

    def unpack(self, release: str) -> None:
        """Unpacks a release beside those that are here, under another name until it is whole.

        One that is here is unpacked anew where other folders of it are writable by now.
        """
        target = self.local / "releases" / release
        if target.is_dir() and self.led(target) == set(self.writable):
            return
        archive = self.store / "releases" / f"{release}.tar.gz"
        draft = self.local / "releases" / f".{release}.{os.getpid()}.{threading.get_ident()}"
        former = draft.with_name(f"{draft.name}.former")
        try:
            draft.mkdir(mode=0o751)
            with tarfile.open(archive) as tar:
                for entry in tar:
                    self.put(tar, entry, draft)
            self.look_at_links(draft)
            for each in self.writable:
                self.lead(draft, each)
            draft.chmod(0o751)
            if target.is_dir():
                target.rename(former)
            draft.rename(target)
        except FileNotFoundError:
            raise Failed(f"the store has no release {release} of {self.name}") from None
        finally:
            for left in (draft, former):
                shutil.rmtree(left, ignore_errors=True)

    def led(self, root: Path) -> set[str]:
        """The folders of an unpacked release that lead into the store."""
        found = set()
        for at, folders, files in os.walk(root):
            for path in (Path(at) / name for name in [*folders, *files]):
                if path.is_symlink() and self.store / "data" in path.readlink().parents:
                    found.add(str(path.relative_to(root)))
        return found

    def put(self, tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> None:
        """One entry. Programs are for the site's user alone, other files for httpd as well; nothing is writable."""
        name = checked(entry)
        if not name:
            return
        path = root / name
        if any((root / above).is_symlink() for above in (Path(name), *Path(name).parents)):
            raise Failed(f"'{name}' would be written through a link")  # several links together may lead out of the site
        if entry.isdir():
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
            return
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if entry.issym():
            path.symlink_to(entry.linkname)
            return
        content = tar.extractfile(entry)
        with path.open("wb") as out:
            if content is not None:
                shutil.copyfileobj(content, out)
        run_bits = 0o111 if entry.mode & 0o100 else 0
        if name.endswith(".php"):
            os.chown(path, 0, self.number)
            path.chmod(0o640)
        else:
            path.chmod(0o644 | run_bits)
        os.utime(path, (entry.mtime, entry.mtime))

    def look_at_links(self, root: Path) -> None:
        """Refuses links that lead out of a release by way of others, or to what the site writes, which is never run.

        httpd follows the links of a release, and runs programs in it.
        """
        top = os.path.realpath(root)

        def real(path: Path) -> str:
            found = os.path.relpath(os.path.realpath(path), top)
            if found.split("/")[0] == "..":
                raise Failed(f"'{path.relative_to(root)}' leads out of the site, by way of several links")
            return "" if found == "." else f"{found}/"

        places = {f"{real((root / each).parent)}{Path(each).name}/": each for each in self.writable}
        for place in places:
            if (root / place.rstrip("/")).is_symlink():
                (root / place.rstrip("/")).unlink()  # `lead` puts its own there
        for at, folders, files in os.walk(root):
            for path in (Path(at) / name for name in [*folders, *files]):
                leads = real(path) if path.is_symlink() else None
                for place, each in places.items():
                    if leads is not None and (leads.startswith(place) or place.startswith(leads)):
                        raise Failed(
                            f"the link '{path.relative_to(root)}' leads to the writable folder '{each}', of which"
                            " nothing is run: leave it out, and have the site write where the link is"
                        )

    def lead(self, root: Path, name: str) -> None:
        """A writable folder of a release leads into the store, to which what it brings is added."""
        path, kept = root / name, self.store / "data" / name
        if path.is_symlink():
            path.unlink()
        if path.is_dir():
            groups = [grp.getgrnam(self.visible).gr_gid]
            copy = ["cp", "-rn", "--no-preserve=mode,ownership", f"{path}/.", f"{kept}/"]
            try:
                subprocess.run(copy, user=self.number, group=self.number, extra_groups=groups, check=True)
            except subprocess.CalledProcessError:
                raise Failed(f"what the release has in '{name}' can't be copied to {kept}") from None
            shutil.rmtree(path)
        elif path.exists():
            raise Failed(f"'{name}' is to be a writable folder, and is a file in the release")
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.symlink_to(kept)

    def point(self, release: str) -> None:
        """Serves a release from now on: the link for files, and its own path, by which PHP gets its programs."""
        here = self.local / "releases" / release
        text, link = (self.local / f".{name}.{os.getpid()}" for name in ("root", "current"))
        for draft in (text, link):
            draft.unlink(missing_ok=True)
        text.write_text(str(here))
        text.chmod(0o644)
        link.symlink_to(f"releases/{release}")
        text.replace(self.local / "root")
        link.replace(self.local / "current")

    def converge(self, *, whole: bool) -> None:
        """Serves what the store names; a node that can't be told goes on with what it has.

        `whole`: looks whether what it has is as it has to be, too.
        """
        release = self.wanted
        if release and whole and release == self.served:
            self.unpack(release)
        if release and release != self.served:
            self.shared()
            self.unpack(release)
            self.point(release)
            print(f"{self.name}: serves the release {release}", flush=True)
            self.prune(self.local / "releases", self.releases(), lambda path: shutil.rmtree(path, ignore_errors=True))

    def prune(self, place: Path, kept: Collection[str], remove: Callable[[Path], object]) -> None:
        """Removes what is in a folder of releases and is not to be kept, but for what is served."""
        for path in place.glob("[0-9]*"):
            release = path.name.replace(".tar.gz", "")
            if release not in kept and release not in (self.served, self.wanted):
                remove(path)


def known(ask: Callable[[str], Any], name: str) -> Any:  # noqa: ANN401  an entry of pwd or grp
    """What a database of users says of a name; None where it has none."""
    try:
        return ask(name)
    except KeyError:
        return None


def run(*argv: object) -> None:
    """Runs a command, which has to succeed."""
    subprocess.run([str(each) for each in argv], check=True)


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


def checked(entry: tarfile.TarInfo) -> str:
    """The name of an archive's entry, if it and where it leads stay inside; empty for the root.

    Raises:
        Failed: they don't, or it is no file, directory or link.
    """
    parts = [part for part in entry.name.split("/") if part not in ("", ".")]
    if entry.name.startswith("/") or ".." in parts:
        raise Failed(f"'{entry.name}' would lie outside the site")
    if entry.issym():
        depth = len(parts) - 1
        for part in entry.linkname.split("/"):
            depth += {"..": -1, "": 0, ".": 0}.get(part, 1)
            if depth < 0 or entry.linkname.startswith("/"):
                raise Failed(f"the link '{entry.name}' leads out of the site, to {entry.linkname}")
    elif not (entry.isfile() or entry.isdir()):
        raise Failed(f"'{entry.name}' is neither a file nor a folder nor a symbolic link")
    return "/".join(parts)


def settings() -> dict[str, Any]:
    """What the plan says."""
    told: dict[str, Any] = json.loads(SETTINGS.read_text())
    return told


def sites() -> dict[str, Site]:
    """The sites by name."""
    told = settings()
    return {name: Site(name, site, told) for name, site in told["sites"].items()}


def one(name: str) -> Site:
    """A site of this node."""
    found = sites().get(name)
    if found is None:
        raise Failed(f"there is no site '{name}' on this node")
    return found


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One at a time on this node."""
    READY.parent.mkdir(exist_ok=True)
    with (READY.parent / "sites.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def gone(user: pwd.struct_passwd) -> None:
    """Ends the processes of a site's user, and removes it and its groups: the numbers may be another site's one day."""
    deadline = time.monotonic() + END_SECONDS
    while known(pwd.getpwnam, user.pw_name):
        subprocess.run(["pkill", "-KILL", "--uid", str(user.pw_uid)], check=False)
        # Refused for as long as there is a process, such as one that PHP-FPM began meanwhile.
        done = subprocess.run(["userdel", user.pw_name], check=False, capture_output=True, text=True)
        if done.returncode and time.monotonic() > deadline:
            raise Failed(f"the user {user.pw_name} can't be removed: {done.stderr.strip()}")
        time.sleep(0.02)
    for group in (user.pw_name, user.pw_name.replace("site-", "web-", 1)):
        if known(grp.getgrnam, group):
            run("groupdel", group)


def accounts() -> None:
    """Users, groups and folders of all sites; who is no site any more loses the user, and keeps the files."""
    folder(LOCAL, 0o755, 0, 0)
    there = sites()
    for user in pwd.getpwall():
        if FIRST <= user.pw_uid <= LAST and user.pw_name not in {site.user for site in there.values()}:
            gone(user)
    for site in there.values():
        site.account()


def away() -> str:
    """Why the store can't be used now; empty where it can."""
    mount = settings()["mount"]
    mounted = not mount or f" {mount} fuse.glusterfs " in Path("/proc/mounts").read_text()
    return "" if mounted else f"the shared filesystem is not mounted at {mount}"


def converge(*, whole: bool = True) -> str:
    """All sites as the store names them; says what could not be done. `whole`: their folders in the store, too."""
    because = [away()]
    if not because[0]:
        folder(Path(settings()["store"]), 0o755, 0, 0)
        for site in sites().values():
            try:
                with alone():
                    if whole:
                        site.shared()
                    site.converge(whole=whole)
            except TROUBLE as error:
                because.append(f"{site.name}: {error}")
    return "; ".join(filter(None, because))


def keep() -> None:
    """Converges for ever; says each trouble once. READY is there once every site has what it had, or what it should."""
    READY.parent.mkdir(exist_ok=True)
    woken = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: woken.set())
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    said: str | None = None
    while True:
        because = converge(whole=said != "" or woken.is_set())
        woken.clear()
        if because != said:
            print(because or "all sites are as the store names them", flush=True)
            said = because
        if not because or all(site.served for site in sites().values()):
            READY.touch()
        woken.wait(LOOK_SECONDS)


def admit(size: int | str) -> None:
    """Refuses what the store has no room for."""
    if away():
        raise Failed(away())
    store = Path(settings()["store"])
    folder(store, 0o755, 0, 0)
    free = os.statvfs(store)
    room = free.f_bavail * free.f_frsize
    if int(size) > room:
        raise Failed(f"{int(size) >> 20} MiB are more than the {room >> 20} MiB that are free where releases are kept")


def store(name: str, release: str, archive: str) -> None:
    """Takes an archive into the store, whole or not at all. What is in it is looked at first."""
    site, source = one(name), Path(archive)
    kept, draft = (site.store / "releases" / each for each in (f"{release}.tar.gz", f".{release}"))
    try:
        with tarfile.open(source) as tar:
            unpacked = sum(entry.size for entry in tar if checked(entry))
        admit(source.stat().st_size + unpacked)
        site.shared()
        with source.open("rb") as content, draft.open("wb") as out:
            shutil.copyfileobj(content, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(kept)
        try:
            with alone():
                site.unpack(release)
        except BaseException:
            kept.unlink(missing_ok=True)  # or 'previous' would mean it one day
            raise
    finally:
        for left in (source, draft):
            left.unlink(missing_ok=True)


def unpack(name: str, release: str) -> None:
    """Unpacks a release on this node."""
    with alone():
        one(name).unpack(release)


def switch(name: str, release: str) -> None:
    """Has the store name a release; prints it."""
    site = one(name)
    there = site.releases()
    if release == "previous":
        older = [each for each in there if each < site.wanted and each in site.once_served()]
        if not older:
            raise Failed(f"the site '{name}' has no release before {site.wanted or 'the first'}")
        release = older[-1]
    if release not in there:
        raise Failed(f"the site '{name}' has no release '{release}'; it has: {', '.join(there) or 'none'}")
    for file, text in (
        ("served", "\n".join(sorted({*site.once_served(), release} & set(there)))),
        ("current", release),
    ):
        draft = site.store / f".{file}"
        draft.write_text(text)
        draft.replace(site.store / file)
    newest = {*there[-KEPT:], release}
    site.prune(site.store / "releases", newest, Path.unlink)
    print(release)


def tell(name: str) -> None:
    """Prints releases and the one that is served."""
    site = one(name)
    rows = []
    for release in site.releases():
        at = (site.store / "releases" / f"{release}.tar.gz").stat()
        rows.append({"release": release, "bytes": at.st_size, "current": release == site.wanted})
    print(json.dumps({"served": site.served, "releases": rows}))


def execute(name: str, argv: list[str]) -> None:
    """Becomes a command of the site's."""
    site = one(name)
    lines = ENVIRONMENT.read_text().partition(f"[{name}]\n")[2].partition("\n[")[0].splitlines()
    told = dict(line.split("=", 1) for line in lines if "=" in line)
    base = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(site.local / "tmp"),
        "TMPDIR": str(site.local / "tmp"),
        "LANG": "C.UTF-8",
    }
    os.chdir(os.path.realpath(site.local / "current"))
    os.initgroups(site.user, site.number)
    os.setgid(site.number)
    os.setuid(site.number)
    os.umask(0o022)
    if argv[0] == "php" and "SMTP_HOST" in told:
        send = f"sendmail_path=/usr/bin/msmtp --file=/etc/lab/msmtprc --account={site.user} --read-recipients"
        argv = ["php", "-d", send, *argv[1:]]
    os.execvpe(argv[0], argv, {**base, **told})  # noqa: S606  what was asked for, as a user without rights


def main(verb: str, *said: str) -> None:
    """Runs a verb; ends with 1 and a sentence where it can't be done."""
    if verb == "accounts":
        with alone():
            accounts()
    elif verb == "keep":
        keep()
    elif verb == "converge":
        because = converge()
        if because:
            raise Failed(because)
    elif verb == "exec":
        execute(said[0], list(said[1:]))
    else:
        verbs: dict[str, Callable[..., None]] = {
            "admit": admit,
            "store": store,
            "unpack": unpack,
            "switch": switch,
            "tell": tell,
        }
        verbs[verb](*said)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except TROUBLE as error:
        sys.exit(str(error))
