"""What the backup node is asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.backends.base import State
from lab.errors import BackendError, SpecError
from lab.lifecycle.members import of_role

if TYPE_CHECKING:
    from lab.backends.base import Backend

ROLE = "backup"
PROGRAM = ["python3", "/usr/lib/lab/backup/main.py"]
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True)
class Snapshot:
    """A backup. Times are Unix seconds.

    Attributes:
        time: the moment that it shows.
        position: the GTID of the database's last transaction in it.
        history: the life of the database that it is of; a cluster with new disks begins another.
        reach: up to when the database's log carries it on; 0 where there is none.
    """

    id: str
    time: float
    position: str
    history: str
    reach: float


def now(backend: Backend) -> dict[str, Any]:
    """Makes a backup.

    Returns:
        What it took: `id`, `time`, `bytes`, `new_bytes`, `has`, `seconds`, and the files that were written to all the
        while: `moving`.

    Raises:
        BackendError: something would not come back as it is; it is named, and the backups before are as they were.
    """
    return _ask(backend, "now")


def backups(backend: Backend) -> list[Snapshot]:
    """All backups, oldest first."""
    return [Snapshot(**row) for row in _ask(backend, "list")["backups"]]


def check(backend: Backend) -> dict[str, Any]:
    """Reads the whole repository; returns `backups`, `bytes`, `seconds`.

    Raises:
        BackendError: something in it is damaged.
    """
    return _ask(backend, "check")


def restore(backend: Backend, *, snapshot: str = "", at: float = 0.0, only: str = "") -> dict[str, Any]:
    """Puts a backup in the place of what the cluster has.

    Args:
        backend: where the cluster runs.
        snapshot: which backup; the newest unless said.
        at: a moment (Unix seconds) to which the database is carried on; files are the backup's.
        only: `mysql`, or a volume.

    Returns:
        What came back, and the tables and files that somebody wrote to since: `changed`.

    Raises:
        SpecError: there is no such backup, moment or part; nothing was changed.
        BackendError: something did not come back as it was.
    """
    return _ask(backend, "restore", snapshot=snapshot, at=at, only=only)


def drill(backend: Backend, *, snapshot: str = "", at: float = 0.0, only: str = "") -> dict[str, Any]:
    """The same into a scratch place; also says how old (s) what it got is: `recovery_point`."""
    return _ask(backend, "drill", snapshot=snapshot, at=at, only=only)


def _ask(backend: Backend, verb: str, **told: Any) -> dict[str, Any]:
    node = _node(backend)
    done = backend.run(node, [*PROGRAM, verb, json.dumps(told)], seconds=LONGEST_SECONDS)
    try:
        said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise BackendError(f"{node} did not do it: {done.said}", where=node, next_step=f"'lab logs {node}'") from None
    if "failed" in said:
        kind = SpecError if said["asked"] else BackendError
        raise kind(said["failed"], where="" if said["asked"] else node, next_step=said["next_step"])
    return said


def _node(backend: Backend) -> str:
    found = of_role(backend, ROLE)[0]
    if found.state is not State.RUNNING:
        raise SpecError(f"{found.name} is {found.state.value}", next_step=f"'lab start {found.name}', or 'lab up'")
    return found.name
