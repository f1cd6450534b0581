"""One backup: databases first, then the files that their rows may speak of; all of it in the repository, or nothing."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from . import archive, databases, files, mark, repository, scratch
from .command import Failed
from .settings import HOME, STAGING, write

if TYPE_CHECKING:
    from .settings import Settings

STATE = HOME / "state.json"
TRIES = 2
GIB = 1 << 30


@dataclass(frozen=True)
class State:
    """What is known of the runs. Times are Unix seconds.

    Attributes:
        began: when this node first looked after the cluster, or when a clock that had been ahead was found right.
        good: when the last backup was made; 0 for never.
        tried: when the last run ended, however it did.
        because: why the last run made no backup; "" where it did.
    """

    began: float
    good: float = 0.0
    tried: float = 0.0
    because: str = ""


def state() -> State:
    """What is known of the runs so far."""
    if not STATE.is_file():
        _remember(State(time.time()))
    return State(**json.loads(STATE.read_text()))


def reachable(config: Settings) -> bool:
    """Whether what is to be kept can be asked now: a cluster that is just starting has not failed."""
    try:
        for volume in config.volumes:
            files.mounted(volume)
        if config.database:
            databases.readable(config).ask("SELECT 1")
    except Failed:
        return False
    return True


def run(config: Settings) -> dict[str, object]:
    """Makes a backup; what it took, for a person.

    Raises:
        Failed: there is none; those before it are as they were.
    """
    known, began = state(), time.monotonic()
    try:
        with repository.held():
            result = _run(config)
    except Failed as failed:
        _remember(State(known.began, known.good, time.time(), failed.what))
        raise
    except OSError as error:
        _remember(State(known.began, known.good, time.time(), str(error)))
        raise Failed(f"the backup can't be made: {error}") from None
    now = time.time()
    _remember(State(min(known.began, now), now, now))
    return result | {"seconds": round(time.monotonic() - began, 2)}


def _run(config: Settings) -> dict[str, object]:
    repository.ensure()
    STAGING.mkdir(parents=True, exist_ok=True)
    _refuse_small(config)
    dumped = _databases(config)
    moving: list[str] = []
    figures = {}
    for volume in config.volumes:
        figures[volume], changed = files.collect(volume, STAGING / mark.FILES / volume)
        moving += [f"{volume}/{name}" for name in changed]
    _leave_out(config)
    content = mark.Mark(dumped.tables, dumped.definitions, figures)
    content.write(STAGING)
    position = dumped.position
    added = repository.add(STAGING, position.moment, position.gtid, position.history)
    known = repository.snapshots()
    repository.forget(config.keep, len(repository.ahead(known, time.time())))
    archive.trim(known)
    return asdict(added) | {"time": position.moment, "position": position.gtid, "has": content.counts, "moving": moving}


def _databases(config: Settings) -> databases.Kept:
    """The dump, rehearsed: what can't come back is found now.

    Who changes a definition or a table while it is read makes the same difference; it is tried again.
    """
    if not config.database:
        return databases.Kept(databases.Position("", "", time.time()), {}, {})
    missed: list[str] = []
    for _ in range(TRIES):
        dumped = databases.keep(config, STAGING / mark.DUMP, STAGING / mark.AFTERWARDS)
        missed = _rehearsed(config, mark.Mark(dumped.tables, dumped.definitions))
        if not missed:
            return dumped
    raise Failed(
        f"the databases have what a restore would not give back as it is: {mark.shortened(missed)}",
        next_step="change or drop it, then 'lab backup now'; the backups before are as they were",
    )


def _rehearsed(config: Settings, expected: mark.Mark) -> list[str]:
    """What of a dump a server that loads it has not as it was."""
    with scratch.folder() as where:
        for name in (mark.DUMP, mark.AFTERWARDS):
            (where / name).symlink_to(STAGING / name)
        with scratch.server(config, where) as server:
            return scratch.loaded(server, where, expected)


def _refuse_small(config: Settings) -> None:
    """A restore takes the files' whole size on this node, holes included, besides the copy that is there.

    Raises:
        Failed: there is not so much.
    """
    sizes = {f"{volume}/{name}": size for volume in config.volumes for name, size in files.sizes(volume).items()}
    free, needed = shutil.disk_usage(HOME).free, sum(sizes.values())
    if needed > free:
        largest = max(sizes, key=lambda name: sizes[name])
        raise Failed(
            f"a restore takes {needed / GIB:.1f} GiB on the backup node, which has {free / GIB:.1f} GiB;"
            f" the largest file is {largest} with {sizes[largest] / GIB:.1f} GiB",
            next_step="make that file smaller, or the backup node's disk larger",
        )


def _leave_out(config: Settings) -> None:
    """What the topology has no more is not kept for ever in the newest backup."""
    if not config.database:
        for name in (mark.DUMP, mark.AFTERWARDS):
            (STAGING / name).unlink(missing_ok=True)
    for path in (STAGING / mark.FILES).glob("*"):
        if path.name not in config.volumes:
            shutil.rmtree(path)


def _remember(known: State) -> None:
    write(STATE, json.dumps(asdict(known)))
