"""One backup: databases first, then the files that their rows may speak of; all of it in the repository, or nothing."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import archive
import databases
import files
import mark
import repository
from command import Failed
from settings import HOME, STAGING, write

if TYPE_CHECKING:
    from settings import Settings

STATE = HOME / "state.json"


@dataclass(frozen=True)
class State:
    """What is known of the runs. Times are Unix seconds.

    Attributes:
        began: when this node first looked after the cluster.
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


def reachable(wanted: Settings) -> bool:
    """Whether what is to be kept can be asked now: a cluster that is just starting has not failed."""
    try:
        for volume in wanted.volumes:
            files.mounted(volume)
        if wanted.database:
            databases.readable(wanted).ask("SELECT 1")
    except Failed:
        return False
    return True


def run(wanted: Settings) -> dict[str, object]:
    """Makes a backup; what it took, for a person.

    Raises:
        Failed: there is none; those before it are as they were.
    """
    known, began = state(), time.monotonic()
    try:
        with repository.held():
            told = _run(wanted)
    except Failed as failed:
        _remember(State(known.began, known.good, time.time(), failed.what))
        raise
    except OSError as error:
        _remember(State(known.began, known.good, time.time(), str(error)))
        raise Failed(f"the backup can't be made: {error}") from None
    _remember(State(known.began, time.time(), time.time()))
    return told | {"seconds": round(time.monotonic() - began, 2)}


def _run(wanted: Settings) -> dict[str, object]:
    repository.ensure()
    STAGING.mkdir(parents=True, exist_ok=True)
    position = databases.Position("", "", time.time())
    if wanted.database:
        position = databases.keep(wanted, STAGING / mark.DUMP)
    for volume in wanted.volumes:
        files.collect(volume, STAGING / mark.FILES / volume)
    _leave_out(wanted)
    made = mark.Mark(
        databases.tables(STAGING / mark.DUMP) if wanted.database else {},
        {volume: files.figures(STAGING / mark.FILES / volume) for volume in wanted.volumes},
    )
    made.write(STAGING)
    added = repository.add(STAGING, position.moment, position.gtid, position.history)
    repository.forget(wanted.keep)
    archive.trim(repository.snapshots())
    return asdict(added) | {"time": position.moment, "position": position.gtid, "has": made.counts}


def _leave_out(wanted: Settings) -> None:
    """What the topology has no more is not kept for ever in the newest backup."""
    if not wanted.database:
        (STAGING / mark.DUMP).unlink(missing_ok=True)
    for path in (STAGING / mark.FILES).glob("*"):
        if path.name not in wanted.volumes:
            shutil.rmtree(path)


def _remember(known: State) -> None:
    write(STATE, json.dumps(asdict(known)))
