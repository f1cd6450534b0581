"""A verb that changes one section of the topology file, and takes that into use at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lab.backends.base import Backend, Existing
    from lab.cli import options
    from lab.progress import Report
    from lab.topology import Cluster
    from lab.topology.editing import Edit


def changed(
    verb: str,
    section: str,
    work: Callable[[dict[str, Any]], None],
    choice: options.Choice,
    changing: str,
    then: Callable[[Edit, Backend, Report], None] = lambda *_: None,
) -> None:
    """Changes the topology under the cluster's lock; the file is written once the running cluster has the change.

    Args:
        verb: as others are told who holds the lock.
        section: a key of the topology's top level.
        work: changes what the file has in it.
        choice: the cluster.
        changing: the name in that section, which alone may be missing in the file.
        then: what else is done to the running cluster.
    """
    from lab.cli import naming, screen
    from lab.cli.locked import admit
    from lab.errors import BackendError, HostError, LabError
    from lab.lifecycle.lock import held
    from lab.lifecycle.up import up
    from lab.topology.editing import edited_section

    before = name, *_ = choice.cluster_name, choice.place(), choice.topology()
    with screen.report() as report, held(name, verb, report):
        admit(before, (choice.cluster_name, choice.place(), choice.topology()), verb)
        edit = edited_section(choice.file, section, work, choice.last)
        try:
            backend = choice.open()
            existing = backend.observe()
        except (HostError, BackendError) as error:
            with edit.drafted():
                print(naming.named(f"{error.what}; changed {edit.target}, which the next 'lab up' applies"))
            return
        cluster = _admitted(edit, backend, existing, {section: changing})
        with edit.drafted():
            if existing.nodes:
                try:
                    up(cluster, backend, report)
                    then(edit, backend, report)
                except (LabError, KeyboardInterrupt):
                    report.say(
                        f"{edit.target} is unchanged: the same command completes the change, 'lab up' reverts it"
                    )
                    raise
    print(f"changed {edit.target}")
    if not existing.nodes:
        print(naming.named(f"the cluster '{name}' does not exist; 'lab up' creates it with this change"))


def _admitted(edit: Edit, backend: Backend, existing: Existing, changing: Mapping[str, str]) -> Cluster:
    """The changed topology, with as many nodes as the running cluster has, which loses nothing but what is changed.

    Args:
        edit: the change.
        backend: where the cluster runs.
        existing: its nodes.
        changing: the name that is changed, by its section.
    """
    from lab.lifecycle.expected import expected
    from lab.lifecycle.resolve import as_many
    from lab.services import losses

    cluster = edit.cluster.model_copy(update={"name": backend.cluster}).read_from(edit.target)
    if not existing.nodes:
        return cluster
    cluster = as_many(cluster, expected(backend, existing))
    losses.admit(cluster, backend, existing, changing)
    return cluster
