"""Docker, before there is a cluster on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.backends.kinds import BackendKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend
    from lab.backends.kinds import Settings
    from lab.host.findings import Finding


class DockerKind(BackendKind):
    """Containers on a Docker engine, which is chosen as Docker's own client does."""

    def open(self, cluster: str, settings: Settings) -> Backend:
        from lab.backends.docker.backend import DockerBackend

        del settings
        return DockerBackend(cluster)

    def ensure(self, say: Callable[[str], None]) -> None:
        from lab.host import install

        install.ensure(say)

    def findings(self) -> list[Finding]:
        from lab.host import install

        return [*install.programs(), *install.findings()]
