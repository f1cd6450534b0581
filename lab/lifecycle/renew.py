"""`renew`: new certificates, or a new CA, without an outage."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.lifecycle import authority, ready, secrets
from lab.lifecycle.expected import expected
from lab.lifecycle.prepare import prepare
from lab.lifecycle.resolve import as_many
from lab.lifecycle.up import up

if TYPE_CHECKING:
    from lab.backends.base import Backend
    from lab.lifecycle.prepare import Prepared
    from lab.progress import Report
    from lab.topology import Cluster


def renew(
    cluster: Cluster, backend: Backend, report: Report, *, ca: bool = False, seconds: float = ready.READY_SECONDS
) -> Prepared:
    """Issues all certificates again, with `ca` by a new CA, and applies them to the nodes.

    The number of nodes is unchanged. After an interruption it can be repeated, and `up` works at any step.

    Raises:
        SpecError: there is no such cluster.
        LabError: as for `up`.
    """
    existing = backend.observe()
    if not existing.nodes:
        raise SpecError(
            f"there is no cluster '{backend.cluster}'", next_step="'lab up' creates it; --name selects another one"
        )
    cluster = as_many(cluster, expected(backend, existing))
    applied = partial(up, cluster, backend, report, seconds=seconds)
    planned = prepare(cluster, backend, report).plan
    where = secrets.folder(backend.cluster)
    if not ca:
        secrets.expire(backend.cluster)
        return applied()
    if not authority.replacing(where):
        authority.announce(where, planned)
        report.say("1 of 3: all nodes trust the next CA, too")
        applied()
        authority.replace(where)
    report.say("2 of 3: all certificates are issued by the next CA")
    applied()
    authority.retire(where)
    report.say("3 of 3: no node trusts the former CA")
    return applied()
