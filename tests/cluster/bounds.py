"""The formulas that the promises are held against, in seconds; docs/promises.md has their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.evidence.verdicts import SLACK

if TYPE_CHECKING:
    from lab.spec import HealthCheck, Mysql, Storage, TcpLb
    from lab.testing import LabCluster

WATCH_INTERVAL = 1.0
"""How often a tcp-lb looks whether its HAProxy is alive."""


def slack() -> float:
    """`SLACK`."""
    return SLACK


def patience(cluster: LabCluster) -> str:
    """For curl: how long one question may take, in seconds."""
    return str(cluster.clock.limit(1))


def out_of_pool(check: HealthCheck) -> float:
    """From a server's death until a balancer has taken it out: `fall` checks, the last one timing out."""
    return check.inter * check.fall + check.timeout + slack()


def back_in_pool(check: HealthCheck) -> float:
    """From a server's readiness until it is back: `rise` checks."""
    return check.inter * (check.rise + 1) + slack()


def vip_moved(options: TcpLb) -> float:
    """From the holder's death until another holds the VIP: RFC 5798's Master_Down_Interval, with the largest skew."""
    return 4 * options.advert_int + slack()


def written_again(options: Mysql) -> float:
    """From the primary's death until another takes writes: its silence, the waits of two candidates, a lost election.

    With the patience of 2 s these are the 10 s that are promised.
    """
    return 4 * options.patience + 2


def storage_stall(options: Storage) -> float:
    """How long a file may wait for a storage node that hangs: twice GlusterFS' `network.ping-timeout`.

    Its timer runs for that long; where something was heard in that time it runs once more (rpc-clnt-ping.c).
    """
    return 2 * options.ping_timeout + slack()
