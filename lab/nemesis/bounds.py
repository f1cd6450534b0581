"""The longest outage of writes that a round may have while a majority is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.evidence.promises import promise
from lab.nemesis.rounds import FAILS_OVER, LONGER_PATIENCE
from lab.topology import Mysql

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.evidence.verdicts import FaultEvent
    from lab.topology import Cluster

PROMISE = "mysql-fails-over"
PRIMARY_SECONDS = 10.0
"""Within this time a connected majority has one primary again, also after two faults at once: no formula has them."""

# Galera's timers beside `patience`, which is evs.suspect_timeout (images/mysql, my.cnf): evs.keepalive_period,
# evs.inactive_check_period and evs.join_retrans_period.
KEEPALIVE_SECONDS, CHECK_SECONDS, JOIN_SECONDS = 0.5, 0.25, 1.0

SILENCES = ("pause", "cut-off", "deaf", "mute", "cut-replicas", "hang")
"""Kinds whose node is silent for Galera's other nodes, and goes on as before when the fault ends."""

START_SECONDS = 3.0
"""One start of mariadbd after its end: from when the engine has started the node until its database answers.

Measured on Docker: 1.5 to 2.5 s at twice the processors' load.
"""


def with_longer_patience(cluster: Cluster) -> Cluster:
    """The topology of the `lab up` that `up-interrupted` interrupts."""
    options = cluster.mysql or Mysql()
    return cluster.model_copy(update={"mysql": options.model_copy(update={"patience": options.patience + 1})})


def writes_bound(kind: str, cluster: Cluster, happened: Sequence[FaultEvent]) -> float:
    """Seconds, without the interval of the probes.

    For a round that the promise covers it is the promise's formula, with the longest patience of the round. For all
    others it is `PRIMARY_SECONDS`, or the formula if that is longer.

    Raises:
        SpecError: the topology lacks a role that the formula reads.
    """
    bound = promise(PROMISE).bound(with_longer_patience(cluster) if kind == LONGER_PATIENCE else cluster) or 0.0
    covered = kind in FAILS_OVER and not (kind in SILENCES and _ends_amid_removal(cluster, happened))
    return bound if covered else max(PRIMARY_SECONDS, bound)


def removal(patience: float) -> tuple[float, float]:
    """The seconds of a node's silence between which Galera's other nodes may be removing it.

    The first is when one of them may suspect it, the last is when all have installed the view without it.
    """
    return patience - KEEPALIVE_SECONDS, patience + CHECK_SECONDS + JOIN_SECONDS


def _ends_amid_removal(cluster: Cluster, happened: Sequence[FaultEvent]) -> bool:
    """Whether a fault may have ended while Galera removed its node: the view then changes twice."""
    options = cluster.mysql or Mysql()
    if options.topology != "galera":
        return False
    first, last = removal(options.patience)
    for fault in happened:
        restored = fault.mended if fault.restored is None else fault.restored
        least, most = fault.mending - fault.bitten, restored - fault.begun
        if least <= last and most >= first:
            return True
    return False
