"""Keeps what this node serves as the store names it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from . import folders, inbox, migration, release, settings
from .errors import TROUBLE
from .site import all_of_them
from .store import alone

LOOK_SECONDS = 1.0
TIDIED: dict[str, str] = {}  # what each site served when its releases were last looked through


def converge(*, whole: bool = True) -> str:
    """All sites as the store names them; says what could not be done. `whole`: their folders in the store, too."""
    because = [settings.away()]
    if not because[0]:
        folders.folder(Path(settings.read()["store"]), 0o755, 0, 0)
        for site in all_of_them().values():
            try:
                with alone():
                    if whole:
                        folders.stored(site)
                        migration.migrate(site)
                    release.converge(site, whole=whole)
                    if TIDIED.get(site.name) != site.served:
                        release.tidy(site)
                        TIDIED[site.name] = site.served
            except TROUBLE as error:
                because.append(f"{site.name}: {error}")
    return "; ".join(filter(None, because))


def keep() -> None:
    """Converges for ever; says each trouble once. READY is there once every site has what it had, or what it should."""
    settings.RUN.mkdir(exist_ok=True)
    woken = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: woken.set())
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    last: str | None = None
    while True:
        because = converge(whole=last != "" or woken.is_set())
        woken.clear()
        if because != last:
            print(because or "all sites are as the store names them", flush=True)
            last = because
        if not because or all(site.served for site in all_of_them().values()):
            settings.READY.touch()
        inbox.clear()
        woken.wait(LOOK_SECONDS)
