"""Operations of the backup node."""

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
PROGRAM = ["/usr/lib/lab/run", "lab_node.backup"]
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True)
class Snapshot:
    """A backup. Times are Unix seconds.

    Attributes:
        time: the time whose state it holds.
        position: GTID of the database's last transaction in it.
        history: identifier of the database's binary log; new disks start a new one.
        reach: latest time to which the archived binary log extends it; 0 without an archive.
    """

    id: str
    time: float
    position: str
    history: str
    reach: float


def now(backend: Backend) -> dict[str, Any]:
    """Creates a backup.

    Returns:
        `id`, `time`, `bytes`, `new_bytes`, `has`, `seconds`, and `moving`: files that were modified during the copy.

    Raises:
        BackendError: the backup could not be restored exactly; names the part. Earlier backups are unchanged.
    """
    return _ask(backend, "now")


def backups(backend: Backend) -> list[Snapshot]:
    """All backups, oldest first."""
    return [Snapshot(**row) for row in _ask(backend, "list")["backups"]]


def check(backend: Backend) -> dict[str, Any]:
    """Reads the whole repository; returns `backups`, `bytes`, `seconds`.

    Raises:
        BackendError: the repository is damaged.
    """
    return _ask(backend, "check")


def restore(backend: Backend, *, snapshot: str = "", at: float = 0.0, only: str = "") -> dict[str, Any]:
    """Replaces the cluster's data by a backup.

    Args:
        backend: where the cluster runs.
        snapshot: the backup; empty: the newest.
        at: time (Unix seconds) to which the binary log is replayed; files are the backup's. 0: no replay.
        only: `mysql`, or a volume; empty: everything.

    Returns:
        The restored parts, and `changed`: tables and files that were modified since.

    Raises:
        SpecError: unknown backup, time or part; nothing was changed.
        BackendError: the restored data differs from the backup.
    """
    return _ask(backend, "restore", snapshot=snapshot, at=at, only=only)


def drill(backend: Backend, *, snapshot: str = "", at: float = 0.0, only: str = "") -> dict[str, Any]:
    """Restores into a temporary place; also returns `recovery_point`: age of each part, in seconds."""
    return _ask(backend, "drill", snapshot=snapshot, at=at, only=only)


def _ask(backend: Backend, verb: str, **arguments: Any) -> dict[str, Any]:
    node = _node(backend)
    done = backend.run(node, [*PROGRAM, verb, json.dumps(arguments)], seconds=LONGEST_SECONDS)
    try:
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        raise BackendError(
            f"the operation failed on {node}: {done.last_line}", where=node, next_step=f"'lab logs {node}'"
        ) from None
    if "failed" in result:
        kind = SpecError if result["asked"] else BackendError
        raise kind(result["failed"], where="" if result["asked"] else node, next_step=result["next_step"])
    return result


def _node(backend: Backend) -> str:
    node = of_role(backend, ROLE)[0]
    if node.state is not State.RUNNING:
        raise SpecError(f"{node.name} is {node.state.value}", next_step=f"'lab start {node.name}', or 'lab up'")
    return node.name
