"""A site of a running cluster in a test's hands."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pytest

from lab.errors import BackendError
from lab.evidence import Load, Stream
from lab.services import sites

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.base import Result
    from lab.testing.cluster import LabCluster


class LabSite:
    """A site, by its name.

    Attributes:
        host: the host name that the client resolves.
        url: its address inside the cluster, without the path.
    """

    def __init__(self, cluster: LabCluster, name: str) -> None:
        if name not in cluster.spec.sites:
            pytest.skip(f"the topology has no site '{name}'")
        self._cluster, self.name = cluster, name
        self.host = cluster.spec.hosts_of(name)[0]
        self.url = f"{cluster.scheme}://{self.host}"

    def ask(self, path: str = "/", *options: str) -> str:
        """What the site answers to the client, with the cluster's CA.

        Raises:
            BackendError: curl failed.
        """
        limit = self._cluster.clock.option(60)
        argv = ["curl", "-sS", "--max-time", limit, "--cacert", "/etc/lab/ca.crt", *options, self.url + path]
        done = self._cluster.backend.run("client", argv, seconds=90)
        if not done.ok:
            raise BackendError(f"{shlex.join(argv)}: {done.last_line}", where="client")
        return done.stdout

    def load(self, rate: float, path: str = "/", *, keep: bool = True) -> Load:
        """Constant load on the site, as a context manager; less of it where the processor is emulated."""
        load = Load(
            self._cluster.backend, Stream("load", self.url + path, self._cluster.clock.page_rate(rate), keep=keep)
        )
        self._cluster.loads.append(load)
        return load

    def deploy(self, folder: Path) -> str:
        """Deploys a folder; the name of the release."""
        return sites.deploy(self._cluster.backend, self.name, folder).release

    def run(self, argv: Sequence[str], *, node: str = "", seconds: float = 60) -> Result:
        """Runs a command as the site, by default on its first web node."""
        backend = self._cluster.backend
        return backend.run(node or sites.look(backend).nodes[0], sites.command(self.name, argv), seconds=seconds)
