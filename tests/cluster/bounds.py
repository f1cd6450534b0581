"""The formulas that the promises are held against, in seconds; docs/promises.md has their sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.spec import HealthCheck, TcpLb

SLACK = 2.5
"""Added to every bound: the machine is shared, and each look at a pool or an address is a process of its own."""

CHECK_TIMEOUT = 0.5
"""`timeout check` and `timeout connect` of the balancers."""

SCRIPT_INTERVAL = 1.0
"""How often keepalived asks whether its HAProxy is alive."""


def out_of_pool(check: HealthCheck) -> float:
    """From a server's death until a balancer has taken it out: `fall` checks, the last one timing out."""
    return check.inter * check.fall + CHECK_TIMEOUT + SLACK


def back_in_pool(check: HealthCheck) -> float:
    """From a server's readiness until it is back: `rise` checks."""
    return check.inter * (check.rise + 1) + SLACK


def vip_moved(options: TcpLb) -> float:
    """From the holder's death until another holds the VIP: RFC 5798's Master_Down_Interval, with the largest skew."""
    return 4 * options.advert_int + SLACK
