"""`lab site sync`: deploys each change of a folder at once."""

from __future__ import annotations

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
            _follow(syncing, report)
        except KeyboardInterrupt:
            print(f"\n{site}: serves what {folder} had last; the sync has ended")


def _first(syncing: Sync, report: Report) -> None:
    from lab.lifecycle.lock import held

    report.say(f"bringing {syncing.folder}")
    with held(syncing.backend.cluster, "lab site sync", report):
        done = syncing.exchange()
    if done:
        print(f"{syncing.site}: serves the release {done.release}; {done.seconds:.1f} s", flush=True)


def _follow(syncing: Sync, report: Report) -> None:
    """Brings each change; what does not succeed is tried again, and told once."""
    from lab.errors import BackendError, HostError, SpecError
    from lab.lifecycle.lock import held
    from lab.services.packing import refuse_no_folder

    trouble, waiting = "", True  # what changed before the folder was watched
    for changes in _changes(syncing.folder):
        refuse_no_folder(syncing.folder)
        try:
            if not (changes or waiting or syncing.behind()):
                continue
            with held(syncing.backend.cluster, "lab site sync", report):
                done = syncing.exchange()
        except (BackendError, HostError, SpecError) as error:
            if str(error) != trouble:
                report.warn(f"{error}\n  it is tried again")
            trouble, waiting = str(error), True
            continue
        if trouble:
            print(f"{syncing.site}: reached again", flush=True)
        trouble, waiting = "", False
        if done:
            print(f"{syncing.site}: {done.changed} changed, {done.gone} removed; {done.seconds:.1f} s", flush=True)


def _changes(folder: Path) -> Iterator[bool]:
    """Whether something changed, each time that it did, and at least once a second.

    Raises:
        HostError: this machine can't watch so many folders.
    """
    import watchfiles

    from lab.errors import HostError

    try:
        for changes in watchfiles.watch(
            folder, watch_filter=None, step=STEP_MS, debounce=GATHER_MS, rust_timeout=LOOK_MS, yield_on_timeout=True
        ):
            yield bool(changes)
    except FileNotFoundError:
        yield True  # the next exchange says so
    except (OSError, RuntimeError) as error:
        raise HostError(
            f"{folder} can't be watched: {error}",
            where=str(folder),
            next_step="raise fs.inotify.max_user_watches (sysctl), or sync a smaller folder",
        ) from None
