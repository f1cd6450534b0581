"""The longest outage of writes that a round may have while a majority is connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.evidence.promises import promise
from lab.nemesis.rounds import FAILS_OVER, LONGER_PATIENCE
from lab.topology import Mysql

if TYPE_CHECKING:
    from lab.topology import Cluster

PROMISE = "mysql-fails-over"
PRIMARY_SECONDS = 10.0
"""Within this time a connected majority has one primary again, also after two faults at once: no formula has them."""


def with_longer_patience(cluster: Cluster) -> Cluster:
    """The topology of the `lab up` that `up-interrupted` interrupts."""
    options = cluster.mysql or Mysql()
    return cluster.model_copy(update={"mysql": options.model_copy(update={"patience": options.patience + 1})})


def writes_bound(kind: str, cluster: Cluster) -> float:
    """Seconds, without the interval of the probes.

    For a kind that the promise covers it is the promise's formula, with the longest patience of the round. For all
    others it is `PRIMARY_SECONDS`, or the formula if that is longer.

    Raises:
        SpecError: the topology lacks a role that the formula reads.
    """
    bound = promise(PROMISE).bound(with_longer_patience(cluster) if kind == LONGER_PATIENCE else cluster) or 0.0
    return bound if kind in FAILS_OVER else max(PRIMARY_SECONDS, bound)
