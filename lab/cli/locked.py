"""A topology and its cluster, under the cluster's lock."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.cli import options
    from lab.progress import Report
    from lab.topology import Cluster, Placement


@contextmanager
def locked(choice: options.Choice, verb: str, report: Report) -> Iterator[tuple[Cluster, Backend]]:
    """The topology that is meant, read once the lock is held: its former holder may have changed the file.

    Args:
        choice: the cluster.
        verb: as others are told who holds the lock.
        report: hears who else holds it.

    Raises:
        SpecError: the topology is not valid, or is that of another cluster by then.
    """
    from lab.lifecycle.lock import held

    name = choice.cluster().name  # one that is not valid is refused before anything is awaited
    before = (name, choice.place(), choice.topology())
    backend = choice.open(name)
    with held(name, verb, report):
        cluster = choice.cluster()
        admit(before, (cluster.name, choice.place(), choice.topology()), verb)
        yield cluster, backend


def admit(before: tuple[str, Placement, Path], now: tuple[str, Placement, Path], verb: str) -> None:
    """Refuses a topology that became that of another cluster, or another file.

    Args:
        before: name and place of the cluster whose lock is held, and the topology's file.
        now: those that are meant since.
        verb: what waited for the lock.

    Raises:
        SpecError: they differ.
    """
    from lab.errors import SpecError

    if now != before:
        name, place, file = before
        if now[2] != file:
            raise SpecError(
                f"{file} was moved or removed while '{verb}' waited; the topology would be {now[2]}",
                next_step="put it back, or name the topology with -f",
            )
        raise SpecError(
            f"the topology no longer describes the cluster '{name}' on {place.backend}: name, backend or host changed"
            f" while '{verb}' waited",
            next_step="run the same command again, if that is meant",
        )
