"""A topology and its cluster, under the cluster's lock."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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

    name, place = choice.cluster().name, choice.place()  # one that is not valid is refused before anything is awaited
    backend = choice.open(name)
    with held(name, verb, report):
        cluster = choice.cluster()
        admit((name, place), (cluster.name, choice.place()), verb)
        yield cluster, backend


def admit(before: tuple[str, Placement], now: tuple[str, Placement], verb: str) -> None:
    """Refuses a topology that became that of another cluster.

    Args:
        before: name and place of the cluster whose lock is held.
        now: those that the topology has since.
        verb: what waited for the lock.

    Raises:
        SpecError: they differ.
    """
    from lab.errors import SpecError

    if now != before:
        name, place = before
        raise SpecError(
            f"the topology no longer describes the cluster '{name}' on {place.backend}: name, backend or host changed"
            f" while '{verb}' waited",
            next_step="run the same command again, if that is meant",
        )
