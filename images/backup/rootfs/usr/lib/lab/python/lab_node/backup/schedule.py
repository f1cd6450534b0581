"""When a backup is due, and what this node says of the last one."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from . import backup, packets, repository, settings
from .command import Failed
from .settings import RUN, write

if TYPE_CHECKING:
    import threading

    from .backup import State
    from .settings import Settings

SAID = RUN / "backup"
LOOK_SECONDS = 1.0
AGAIN_SECONDS = 60.0  # until a run that failed is tried again
LATE = 1.5  # times `every`, after which a missing backup is late


def stay(ending: threading.Event) -> None:
    """Looks for ever; one run at a time."""
    before = None
    while not ending.is_set():
        because = look(settings.read())
        write(SAID, because + "\n")
        if because != before:
            print(because or "all backups are as they should be", flush=True)
            before = because
        ending.wait(LOOK_SECONDS)


def look(config: Settings) -> str:
    """Makes a backup if one is due; what is not as it should be, or ""."""
    try:
        if not repository.REPOSITORY.is_dir():
            with repository.held():
                repository.ensure()
        if packets.RAISED.is_file():
            # Not now, if a restore runs or its server does not answer.
            with contextlib.suppress(Failed), repository.held(seconds=0.0):
                packets.lower(config)
        known, now = backup.state(), time.time()
        if due(known, config.every, now) and backup.reachable(config):
            if ahead(known, now):
                print(because(known, config.every, now), flush=True)  # nothing says so any more after this run
            backup.run(config)
    except Failed as failed:
        return failed.what
    return because(backup.state(), config.every, time.time())


def due(known: State, every: float, now: float) -> bool:
    """Whether one has to be made now: the first an `every` after this node began; a failed one again before that.

    What was written by a clock that was ahead says nothing: one is made at once.
    """
    if 0 <= now - known.tried <= min(AGAIN_SECONDS, every):
        return False
    return bool(known.because) or ahead(known, now) > 0 or now - max(known.good, known.began) > every


def because(known: State, every: float, now: float) -> str:
    """What `lab status` says: the last run failed, or one is late, or the clock was wrong."""
    if known.because:
        return f"the last backup failed at {_text(known.tried)}: {known.because}"
    if ahead(known, now) > 0:
        what = (
            "the last backup"
            if known.good > now
            else "the last run"
            if known.tried > now
            else "this node's first start"
        )
        return f"{what} was at {_text(now + ahead(known, now))} by a clock that was wrong; a backup is due now"
    last = max(known.good, known.began)
    if now - last > LATE * every:
        return (
            f"the last backup was made at {_text(known.good)}, one is due every {every:g} s"
            if known.good
            else "no backup was made yet"
        )
    return ""


def ahead(known: State, now: float) -> float:
    """By how much (s) what is written of the runs is of a time that has not been; 0 for not."""
    latest = max(known.good, known.tried, known.began)
    return latest - now if latest > now + repository.AHEAD_SECONDS else 0.0


def _text(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))
