"""Where a cluster is placed: the part of `cluster.yaml` (and of the command line) that the nodes know nothing of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.backends.kinds import DEFAULT

if TYPE_CHECKING:
    from lab.backends.kinds import Settings


@dataclass(frozen=True)
class Placement:
    """A backend's name and its settings; without, those that the backend has by default."""

    backend: str = DEFAULT
    settings: Settings | None = None
