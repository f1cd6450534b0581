"""Xen, before there is a cluster on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.kinds import BackendKind
from lab.backends.xen.settings import Xen

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend
    from lab.backends.kinds import Settings
    from lab.building.stock import Kept
    from lab.host.findings import Finding


class XenKind(BackendKind):
    """Domains on a Xen host; their images are built by a Docker engine of this machine."""

    settings = Xen
    description = "the Xen host, for 'backend: xen'"

    def open(self, cluster: str, settings: Settings) -> Backend:
        from lab.backends.xen.backend import XenBackend

        return XenBackend(cluster, Xen.model_validate(settings))

    def ensure(self, say: Callable[[str], None]) -> None:
        from lab.backends.xen.nested import tools
        from lab.host import install

        install.ensure(say)
        tools.ensure(say)

    def findings(self) -> list[Finding]:
        from lab.backends.xen.nested import tools
        from lab.host import install

        return [*install.programs(), *tools.findings(), *install.findings()]

    def tool_images(self) -> frozenset[str]:
        from lab.backends.xen import toolbox

        return toolbox.tool_images()

    def made_of_images(self, digests: frozenset[str]) -> list[Kept]:
        from lab.backends.xen import toolbox
        from lab.backends.xen.nested import machine

        # While the nested host runs, its domains run on these disks.
        return toolbox.stored(digests, all_of_use=machine.running() is not None)

    def vital(self, settings: Settings) -> bool:
        """A nested host that is not booted yet is nothing that is missing."""
        return Xen.model_validate(settings).host is not None
