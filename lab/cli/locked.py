"""A topology and its cluster, under the cluster's lock."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Backend
    from lab.cli import options
    from lab.progress import Report
    from lab.topology import Cluster


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
    from lab.errors import SpecError
    from lab.lifecycle.lock import held

    before = choice.cluster(), choice.place()  # a topology that is not valid is refused before anything is awaited
    name = before[0].name
    backend = choice.open(name)
    with held(name, verb, report):
        cluster, place = choice.cluster(), choice.place()
        if (cluster.name, place) != (name, before[1]):
            raise SpecError(
                f"the topology no longer describes the cluster '{name}' on {before[1].backend}: name, backend or host"
                f" changed while '{verb}' waited",
                where=cluster.source,
                next_step="run the same command again, if that is meant",
            )
        yield cluster, backend
