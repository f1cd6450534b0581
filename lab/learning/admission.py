"""Which clusters lessons may use: those that a lesson made, and those that are still to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.learning import progress

if TYPE_CHECKING:
    from lab.backends.base import Backend


OWN, OTHER = "learn", "learn2"
"""The name of a cluster for lessons, and the next one."""


def admit(backend: Backend) -> None:
    """Refuses a cluster that no lesson has made, its kept data included.

    Raises:
        SpecError: names the ways out.
    """
    existing, name = backend.observe(), backend.cluster
    if progress.current(backend) or existing.empty:
        return
    own = OWN if name != OWN else OTHER
    what = f"the cluster '{name}'" if existing.nodes else f"the data of the cluster '{name}', which was kept,"
    raise SpecError(
        f"{what} was made by 'lab up', not by a lesson, which would replace it",
        where=name,
        next_step=f"'export LAB_NAME={own}' (or '-n {own}' with each command) gives lessons a cluster of"
        " their own; or remove that one: 'lab down --volumes'",
    )
