"""What a built image is tried with, before it gets its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.plan import NodePlan


@dataclass(frozen=True)
class Trial:
    """What a built image is tried with.

    Attributes:
        node: what a node of it needs of the engine.
        files: content and mode of its files by path.
        script: a program for `sh`: prints what is wrong, and ends with 1 if anything is.
    """

    node: NodePlan
    files: Mapping[str, tuple[bytes, int]]
    script: str
