"""A program that is run as a site, in the folder of its code."""

from __future__ import annotations

import os

from . import settings
from .site import one


def execute(name: str, argv: list[str]) -> None:
    """Becomes a command of the site's."""
    site = one(name)
    lines = settings.ENVIRONMENT.read_text().partition(f"[{name}]\n")[2].partition("\n[")[0].splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
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
    if argv[0] == "php" and "SMTP_HOST" in environment:
        send = f"sendmail_path=/usr/bin/msmtp --file=/etc/lab/msmtprc --account={site.user} --read-recipients"
        argv = ["php", "-d", send, *argv[1:]]
    os.execvpe(argv[0], argv, {**base, **environment})  # noqa: S606  what was asked for, as a user without rights
