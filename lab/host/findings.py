"""The findings of `lab doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check. `vital`: whether `lab up` needs it."""

    subject: str
    good: bool
    detail: str
    way_round: str = ""
    vital: bool = False
