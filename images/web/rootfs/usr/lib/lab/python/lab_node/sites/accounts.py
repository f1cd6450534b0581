"""The system users and groups of this node's sites."""

from __future__ import annotations

import grp
import pwd
import subprocess
import time
from typing import TYPE_CHECKING, Any

from . import folders, inbox, settings
from .errors import Failed
from .site import all_of_them

if TYPE_CHECKING:
    from collections.abc import Callable

    from .site import Site

FIRST, LAST = 60000, 64999  # the numbers that the plan gives to sites
VISIBLE = 46000  # so much lower is the number of the group that may see a site's files: none of a person's has it
END_SECONDS = 10.0  # for the processes of a site that is no more


def known(ask: Callable[[str], Any], name: str) -> Any:  # noqa: ANN401  an entry of pwd or grp
    """What a database of users says of a name; None where it has none."""
    try:
        return ask(name)
    except KeyError:
        return None


def run(*argv: object) -> None:
    """Runs a command, which has to succeed."""
    subprocess.run([str(each) for each in argv], check=True)


def account(site: Site) -> None:
    """The site's user, and the group of those who may see its files: the site and httpd."""
    for group, number in ((site.user, site.number), (site.visible, site.number - VISIBLE)):
        if not known(grp.getgrnam, group):
            run("groupadd", "--gid", number, group)
    if not known(pwd.getpwnam, site.user):
        home, shell = ("--home-dir", site.local), ("--shell", "/usr/sbin/nologin")
        run("useradd", "--uid", site.number, "--gid", site.user, "--no-create-home", *home, *shell, site.user)
    for user in {site.user, site.httpd} - set(grp.getgrnam(site.visible).gr_mem):
        run("usermod", "--append", "--groups", site.visible, user)


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
    folders.folder(settings.LOCAL, 0o755, 0, 0)
    inbox.clear()
    there = all_of_them()
    for user in pwd.getpwall():
        if FIRST <= user.pw_uid <= LAST and user.pw_name not in {site.user for site in there.values()}:
            gone(user)
    for site in there.values():
        account(site)
        folders.local(site)
