"""A verb that changes one section of the topology file, and takes that into use at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend, Existing
    from lab.cli import options
    from lab.progress import Report
    from lab.topology.editing import Edit


def changed(
    verb: str,
    section: str,
    work: Callable[[dict[str, Any]], None],
    choice: options.Choice,
    admit: Callable[[Edit, Backend, Existing], None],
    then: Callable[[Edit, Backend, Report], None] = lambda *_: None,
) -> None:
    """Changes the topology under the cluster's lock; the file is written once the running cluster has the change.

    Args:
        verb: as others are told who holds the lock.
        section: a key of the topology's top level.
        work: changes what the file has in it.
        choice: the cluster.
        admit: refuses what the running cluster must not be given.
        then: what else is done to the running cluster.
    """
    from lab.cli import naming, screen
    from lab.errors import BackendError, HostError, LabError
    from lab.lifecycle.lock import held
    from lab.topology.editing import edited_section

    cluster = choice.cluster_name
    with screen.report() as report, held(cluster, verb, report):
        edit = edited_section(choice.file, section, work, choice.last)
        try:
            backend = choice.open()
            existing = backend.observe()
        except (HostError, BackendError) as error:
            with edit.drafted():
                print(naming.named(f"{error.what}; changed {edit.target}, which the next 'lab up' applies"))
            return
        if existing.nodes:
            admit(edit, backend, existing)
        with edit.drafted():
            if existing.nodes:
                try:
                    _applied(edit, cluster, backend, existing, report)
                    then(edit, backend, report)
                except (LabError, KeyboardInterrupt):
                    report.say(
                        f"{edit.target} is unchanged: the same command completes the change, 'lab up' reverts it"
                    )
                    raise
    print(f"changed {edit.target}")
    if not existing.nodes:
        print(naming.named(f"the cluster '{cluster}' does not exist; 'lab up' creates it with this change"))


def _applied(edit: Edit, name: str, backend: Backend, existing: Existing, report: Report) -> None:
    """Takes the change into use where the cluster runs, with as many nodes as it has."""
    from lab.lifecycle.expected import expected
    from lab.lifecycle.resolve import as_many
    from lab.lifecycle.up import up

    cluster = edit.cluster.model_copy(update={"name": name}).read_from(edit.target)
    up(as_many(cluster, expected(backend, existing)), backend, report)
