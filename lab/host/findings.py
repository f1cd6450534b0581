"""What `lab doctor` finds on this machine, by whoever looks at a part of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `vital`: without it `lab up` can't work."""

    subject: str
    good: bool
    found: str
    way_round: str = ""
    vital: bool = False
