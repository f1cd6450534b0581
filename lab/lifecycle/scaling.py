"""Numbers of nodes that can't be changed while there is data; refused before anything is touched."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from lab.backends.base import LASTING, State
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
    """Refuses a number of nodes that the cluster's data is not made for, and data that it can't read.

    Args:
        plan: the cluster as it should be.
        cluster: its topology.
        backend: where it is.
        existing: its nodes.
        notes: what is noted with it.

    Raises:
        SpecError: says the way round.
    """
    _admit_storage(plan, backend, existing, notes)
    if cluster.mysql:
        _admit_mysql(cluster.mysql, existing, notes)


def note(plan: Plan, cluster: Cluster, existing: Existing, notes: Mapping[str, str], *, done: bool) -> dict[str, str]:
    """What is noted with the cluster's data: how many copies of the volumes are made, and how many mysql nodes count.

    While it is changed (not `done`), the larger number: those that go are needed until then.
    """
    copies = len(plan.role(STORAGE))
    found = {COPIES: str(copies)} if copies else {}
    if cluster.mysql:
        # An earlier version made no note: then those that exist were the members.
        had = _members(notes)[0] or sum(node.role == MYSQL for node in existing.nodes)
        count = cluster.mysql.count if done else max(cluster.mysql.count, had)
        found[MEMBERS] = f"{count} {cluster.mysql.topology}"
    return found


def joining(plan: Plan, existing: Existing) -> set[str]:
    """New mysql nodes beside old ones: they may be ready only once those have been told of them."""
    there = {node.name for node in existing.nodes if node.role == MYSQL}
    return {node.name for node in plan.role(MYSQL)} - there if there else set()


def forget(backend: Backend) -> None:
    """The data is gone."""
    for key in (COPIES, MEMBERS):
        backend.note(key, None)


def _admit_storage(plan: Plan, backend: Backend, existing: Existing, notes: Mapping[str, str]) -> None:
    """A volume has a copy on each node from its first day on.

    One node more would get none, and of one less the others know nothing: they would wait for it, or lack the majority
    that may write.
    """
    wanted = len(plan.role(STORAGE))
    made = int(notes.get(COPIES, 0)) or _copies(backend, existing)
    if wanted and made and wanted != made:
        keep = f"keep 'storage: {{count: {made}}}'"
        raise SpecError(
            f"the shared volumes were made for {made} storage nodes, a copy on each, not for {wanted}",
            where="storage.count",
            next_step=f"{keep}, or begin with empty volumes: {EMPTY}",
        )


def _members(notes: Mapping[str, str]) -> tuple[int, str]:
    """How many mysql nodes count, and how they agree; 0 and nothing where it is not noted."""
    count, _, topology = notes.get(MEMBERS, "0").partition(" ")
    return int(count), topology


def _admit_mysql(mysql: Mysql, existing: Existing, notes: Mapping[str, str]) -> None:
    """Which mysql nodes may stay without the others, those have to say: one of them may have what the rest lacks."""
    there = [node for node in existing.nodes if node.role == MYSQL]
    (noted, topology), wanted = _members(notes), mysql.count
    had = noted or len(there)
    if topology not in ("", mysql.topology):
        raise SpecError(
            f"the data of mysql was made with 'topology: {topology}'",
            where="mysql.topology",
            next_step=f"put that back, or begin with empty volumes: {EMPTY}",
        )
    if had and wanted != had and mysql.topology == "galera":
        # Who took the writes last has to be there, and a node that is told it is alone would wait for it.
        raise SpecError(
            f"a Galera cluster with data keeps its {had} nodes",
            where="mysql.count",
            next_step=f"keep that count, or begin with empty volumes: {EMPTY}",
        )
    running = sum(node.state is State.RUNNING for node in there)
    if {wanted, had} == {2, 3}:
        # Of two that stay or come, the first would wait for the second, which is changed after it.
        raise SpecError(
            f"mysql can't go from {had} nodes to {wanted} at once",
            where="mysql.count",
            next_step=f"by way of one: 'lab up --scale mysql=1', then 'lab up --scale mysql={wanted}'",
        )
    if wanted < had and running < had:
        raise SpecError(
            f"mysql has {had} members, of which {running} run: all are needed to go on with {wanted}",
            where="mysql.count",
            next_step=f"'lab up' with 'mysql: {{count: {had}}}' ('--scale mysql={had}') first, then this again",
        )


def _copies(backend: Backend, existing: Existing) -> int:
    """As a storage node has it: an earlier version made no note."""
    for node in existing.nodes:
        if node.role == STORAGE:
            with contextlib.suppress(ValueError, KeyError):
                return len(json.loads(backend.get(node.name, FILE) or b"")["peers"])
    return 0
