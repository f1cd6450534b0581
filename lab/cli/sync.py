"""`lab site sync`: deploys each change of a folder at once."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Backend
    from lab.progress import Report
    from lab.services.syncing import Sync

SiteName = Annotated[str, typer.Argument(metavar="SITE", help="The site, such as blog.")]
Folder = Annotated[Path, typer.Argument(help="A folder on this machine with the site's files.")]
STEP_MS, GATHER_MS, LOOK_MS = 50, 200, 1000
"""A change waits so long for more, and at most so long; the nodes are looked at so often."""


def sync(
    backend: Backend,
    site: SiteName,
    folder: Folder,
) -> None:
    """Deploys a folder, and each change of it at once, until Ctrl-C. Writable folders are not changed."""
    from lab.cli import screen
    from lab.services.syncing import Sync

    syncing = Sync(backend, site, folder)
    with screen.report() as report:
        try:
            _first(syncing, report)
            print(f"watching {folder}; Ctrl-C ends this", flush=True)
            follow(syncing, report)
        except KeyboardInterrupt:
            print(f"\n{site}: serves what {folder} had last; the sync has ended")


def _first(syncing: Sync, report: Report) -> None:
    from lab.lifecycle.lock import held

    report.say(f"bringing {syncing.folder}")
    with held(syncing.backend.cluster, "lab site sync", report):
        done = syncing.exchange()
    if done:
        print(f"{syncing.site}: serves the release {done.release}; {done.seconds:.1f} s", flush=True)


def follow(syncing: Sync, report: Report) -> None:
    """Brings each change; what does not succeed is tried again, and told once."""
    from lab.errors import BackendError, HostError, Locked, SpecError
    from lab.lifecycle.lock import held
    from lab.services.packing import refuse_no_folder

    trouble, waiting = "", True  # what changed before the folder was watched
    for changes in folder_changes(syncing.folder):
        try:
            refuse_no_folder(syncing.folder)
            if not (changes or waiting or syncing.behind()):
                continue
            with held(syncing.backend.cluster, "lab site sync", report):
                done = syncing.exchange()
        except (BackendError, HostError, Locked, SpecError) as error:
            if str(error) != trouble:
                report.warn(f"{error}\n  it is tried again")
            trouble, waiting = str(error), True
            continue
        if trouble:
            print(f"{syncing.site}: reached again", flush=True)
        trouble, waiting = "", False
        if done:
            print(f"{syncing.site}: {done.changed} changed, {done.gone} removed; {done.seconds:.1f} s", flush=True)


def folder_changes(folder: Path) -> Iterator[bool]:
    """Whether something changed, each time that it did, and at least once a second.

    A folder that was removed or replaced has changed; the one that is there then is watched.

    Raises:
        HostError: this machine can't watch so many folders.
    """
    from lab.clock import REAL
    from lab.errors import HostError, NotReady

    while True:
        try:
            yield from _changes_until_replaced(folder)
        except (FileNotFoundError, NotADirectoryError):
            with contextlib.suppress(NotReady):
                REAL.until(f"the folder {folder}", LOOK_MS / 1000, folder.is_dir)
        except (OSError, RuntimeError) as error:
            raise HostError(
                f"{folder} can't be watched: {error}",
                where=str(folder),
                next_step="raise fs.inotify.max_user_watches (sysctl), or sync a smaller folder",
            ) from None
        yield True  # the next exchange reports a missing folder


def _changes_until_replaced(folder: Path) -> Iterator[bool]:
    """The same, first of what changed before the folder was watched, until another one is in its place."""
    import watchfiles

    watch = watchfiles.watch(
        folder, watch_filter=None, step=STEP_MS, debounce=GATHER_MS, rust_timeout=LOOK_MS, yield_on_timeout=True
    )
    before = True
    watched = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)  # while it is open, no other folder gets its inode
    try:
        for changes in watch:
            if not os.path.samestat(os.fstat(watched), folder.stat()):
                return
            yield before or bool(changes)
            before = False
    finally:
        watch.close()
        os.close(watched)
