"""Refuses changes of the number of nodes that existing data does not allow, before anything is changed."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from lab.backends.base import LASTING, State
from lab.backends.optional import Notes
from lab.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.backends.base import Backend, Existing
    from lab.plan import Plan
    from lab.topology import Cluster, Mysql

STORAGE, FILE = "storage", "/etc/lab/storage.json"
MYSQL = "mysql"
EMPTY = "'lab down --volumes' removes all data"
COPIES, MEMBERS = f"{LASTING}storage", f"{LASTING}mysql"


def admit(plan: Plan, cluster: Cluster, backend: Backend, existing: Existing, notes: Mapping[str, str]) -> None:
    """Refuses a number of nodes, or a kind of replication, that the cluster's data does not fit.

    Args:
        plan: the planned cluster.
        cluster: its topology.
        backend: of the cluster.
        existing: its nodes.
        notes: of the cluster; those of one without nodes and data are of data that was removed by hand, or never made.

    Raises:
        SpecError: the next step is a possible way.
    """
    if existing.empty:
        return
    _admit_storage(plan, backend, existing, notes)
    if cluster.mysql:
        _admit_mysql(cluster.mysql, existing, notes)


def note(plan: Plan, cluster: Cluster, existing: Existing, notes: Mapping[str, str], *, done: bool) -> dict[str, str]:
    """The note about the cluster's data: the copies of its volumes, and its number of mysql members.

    During a change (not `done`) the larger number: nodes to remove are needed until its end. Of a cluster without
    nodes and data no former number stays.
    """
    copies = len(plan.role(STORAGE))
    counts = dict.fromkeys((COPIES, MEMBERS), "") if existing.empty else {}
    if copies:
        counts[COPIES] = str(copies)
    if cluster.mysql:
        # Without a note (earlier versions) the existing nodes are the members.
        had = 0 if existing.empty else _members(notes)[0] or sum(node.role == MYSQL for node in existing.nodes)
        count = cluster.mysql.count if done else max(cluster.mysql.count, had)
        counts[MEMBERS] = f"{count} {cluster.mysql.topology}"
    return counts


def joining(plan: Plan, existing: Existing) -> set[str]:
    """New mysql nodes beside existing ones, which must learn of them before they can become ready."""
    there = {node.name for node in existing.nodes if node.role == MYSQL}
    return {node.name for node in plan.role(MYSQL)} - there if there else set()


def forget(backend: Backend) -> None:
    """Removes the note, after the data was removed."""
    if isinstance(backend, Notes):
        for key in (COPIES, MEMBERS):
            backend.note(key, None)


def _admit_storage(plan: Plan, backend: Backend, existing: Existing, notes: Mapping[str, str]) -> None:
    """Refuses another number of storage nodes: a volume has a copy on each node since its creation.

    An additional node would get no copy; the others would wait for a missing one, or lack the majority for writes.
    """
    count = len(plan.role(STORAGE))
    copies = int(notes.get(COPIES, 0)) or _copies(backend, existing)
    if count and copies and count != copies:
        keep = f"keep 'storage: {{count: {copies}}}'"
        raise SpecError(
            f"the shared volumes have copies on {copies} storage nodes, not on {count}",
            where="storage.count",
            next_step=f"{keep}, or start with empty volumes: {EMPTY}",
        )


def _members(notes: Mapping[str, str]) -> tuple[int, str]:
    """The number of mysql members and their kind of replication; 0 and empty without a note."""
    count, _, topology = notes.get(MEMBERS, "0").partition(" ")
    return int(count), topology


def _admit_mysql(mysql: Mysql, existing: Existing, notes: Mapping[str, str]) -> None:
    """Refuses another number of mysql nodes that could lose transactions: a removed node may hold some of its own."""
    there = [node for node in existing.nodes if node.role == MYSQL]
    (noted, topology), count = _members(notes), mysql.count
    had = noted or len(there)
    if topology not in ("", mysql.topology):
        raise SpecError(
            f"the data of mysql was made with 'topology: {topology}'",
            where="mysql.topology",
            next_step=f"restore that option, or start with empty volumes: {EMPTY}",
        )
    if had and count != had and mysql.topology == "galera":
        # The last primary must be present: a node that is configured as the only one would wait for it.
        raise SpecError(
            f"a Galera cluster with data keeps its {had} nodes",
            where="mysql.count",
            next_step=f"keep that count, or start with empty volumes: {EMPTY}",
        )
    running = sum(node.state is State.RUNNING for node in there)
    if {count, had} == {2, 3}:
        # With two remaining or new nodes, the first would wait for the second, which is changed later.
        raise SpecError(
            f"mysql cannot change from {had} nodes to {count} in one step",
            where="mysql.count",
            next_step=f"run 'lab up --scale mysql=1', then 'lab up --scale mysql={count}'",
        )
    if count < had and running < had:
        raise SpecError(
            f"{running} of {had} mysql members are running: all are needed to change to {count}",
            where="mysql.count",
            next_step=f"'lab up' with 'mysql: {{count: {had}}}' ('--scale mysql={had}') first, then this again",
        )


def _copies(backend: Backend, existing: Existing) -> int:
    """The number of copies, read from a storage node; used without a note (earlier versions)."""
    for node in existing.nodes:
        if node.role == STORAGE:
            with contextlib.suppress(ValueError, KeyError):
                return len(json.loads(backend.get(node.name, FILE) or b"")["peers"])
    return 0
