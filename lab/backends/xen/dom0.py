"""The Xen host (dom0): the verbs of `xen/verbs`, run there by ssh."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab import assets, identifiers
from lab.backends.xen import trouble
from lab.errors import BackendError

if TYPE_CHECKING:
    from lab.backends.xen.ssh import Completed, Link

STORE = "/var/lib/www-cluster-lab"
VERB_SECONDS = 60
MARGIN = 10  # seconds for the connection, above what the host itself allows


@dataclass(frozen=True)
class Address:
    """A Xen host as `ssh://[user@]host[:port][/folder]` names it."""

    destination: tuple[str, ...]
    store: str
    shown: str


def address(url: str) -> Address:
    """The parts of a host's URL; the folder is where it keeps disks."""
    parts = urlsplit(url)
    port = ("-p", str(parts.port)) if parts.port else ()
    user = f"{parts.username}@" if parts.username else ""
    return Address((*port, f"{user}{parts.hostname}"), parts.path.rstrip("/") or STORE, url)


@cache
def _script(verb: str) -> str:
    folder = assets.xen() / "verbs"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in ("common", verb))


@dataclass(frozen=True)
class Dom0:
    """A host that runs the verbs for one cluster.

    Raises:
        SpecError: the name of the cluster, or of a node in a call, is not valid. A verb removes folders of these names.
    """

    link: Link
    store: str
    cluster: str

    def __post_init__(self) -> None:
        identifiers.cluster(self.cluster)

    def ask(
        self,
        verb: str,
        *arguments: str | int,
        node: str = "",
        uuid: str = "",
        stdin: bytes = b"",
        seconds: float = VERB_SECONDS,
    ) -> Completed:
        """Runs a verb; a failure is the caller's to judge. `seconds`: the limit on an ordinary processor.

        Raises:
            BackendError: the host (its xl, as a rule) did not answer in time.
        """
        line = self.line(verb, *arguments, node=node, uuid=uuid, seconds=seconds)
        try:
            return self.link.run(line, seconds=seconds + MARGIN, stdin=stdin)
        except BackendError as error:
            raise BackendError(
                f"'{verb}' {node or self.cluster}: {error.what.splitlines()[0][:120]}",
                where=self.link.where,
                next_step="look there: does 'xl list' answer? 'lab xen host down' and 'up' restart a nested one",
            ) from error

    def do(self, verb: str, *arguments: str | int, stdin: bytes = b"", seconds: float = VERB_SECONDS) -> str:
        """Runs a verb of the whole cluster or host, which must succeed, and returns what it printed.

        Raises:
            HostError: the host lacks something; says what.
            BackendError: it failed otherwise.
        """
        done = self.ask(verb, *arguments, stdin=stdin, seconds=seconds)
        if done.rc:
            raise trouble.refused(self.link.where, f"{verb} {self.cluster}", done.err or done.out)
        return done.out

    def line(
        self, verb: str, *arguments: str | int, node: str = "", uuid: str = "", seconds: float | None = VERB_SECONDS
    ) -> str:
        """The shell command that runs a verb there; bounded there too, unless `seconds` is None.

        `seconds`: the limit on an ordinary processor.
        """
        if node:
            identifiers.component(node)
        set_up = {"STORE": self.store, "CLUSTER": self.cluster, "NODE": node, "UUID": uuid}
        limit = None if seconds is None else f"{self.link.clock.limit(seconds):g}"
        bounded = [] if limit is None else ["timeout", "-k", "2", limit]
        words = ["env", *(f"{key}={value}" for key, value in set_up.items()), *bounded]
        return shlex.join([*words, "bash", "-c", _script(verb), verb, *map(str, arguments)])
