"""`down`: removes everything with the cluster's label, and nothing else; needs no topology."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import parallel
from lab.lifecycle import kept, scaling, secrets
from lab.lifecycle.kept import Note
from lab.lifecycle.volumes import keep_only
from lab.recipes import manifest, roles

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.progress import Report


def down(backend: Backend, report: Report, *, volumes: bool = False, keep_backups: bool = False) -> int:
    """Removes the cluster; with `volumes` its data and secrets too. Returns the former number of nodes.

    With `keep_backups` the backup nodes' volumes are kept, and the secrets, which are needed to read them.
    """
    nodes = backend.observe().nodes
    backups = [role for role in roles() if manifest(role).own.backups] if keep_backups else []

    def remove(name: str) -> None:
        backend.remove(name)
        report.step(name, "removed", done=True)

    parallel.for_each([node.name for node in nodes], remove)
    for left in backend.clear(volumes=volumes, keep=backups if keep_backups else []):
        report.say(f"left: {left}")
    if volumes:
        scaling.forget(backend)  # also with `keep_backups`, which keeps other notes
    if volumes and not keep_backups:
        secrets.forget(backend.cluster)
    elif volumes:
        there = backend.observe()
        if not there.data:
            kept.remove(backend.cluster, Note.VOLUMES, Note.UNPROVEN)
        elif there.volumes is not None:
            keep_only(backend.cluster, there.volumes)
    return len(nodes)
