"""What is to be said of Xen: the section `xen` of `cluster.yaml`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from lab.backends.kinds import Settings

PORTS = 65536

_URL = re.compile(
    r"ssh://(?:[\w][\w.-]*@)?(?:[a-zA-Z0-9][\w.-]*|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?(?:/[\w./+-]*)?", re.ASCII
)


def _valid_host(url: str) -> str:
    """The URL as it was given. What of it becomes a word of ssh's command line never begins with a hyphen.

    Raises:
        ValueError: it is not of the form `ssh://[user@]host[:port][/folder]`.
    """
    match = _URL.fullmatch(url)
    if not match or not 0 < int(match[1] or 22) < PORTS or ".." in url:
        raise ValueError(f"a Xen host is written ssh://[user@]host[:port][/folder], not {url!r}")
    return url


class Xen(Settings):
    """A Xen host and how much of it is used."""

    host: Annotated[str, AfterValidator(_valid_host)] | None = Field(
        None, description="ssh://root@dom0[:port][/folder for disks]; unset: the host that 'lab xen host up' boots here"
    )
    bridge: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,15}$")] | None = Field(
        None, description="a bridge that is there; unset: one of the cluster's own is made"
    )
    max_domains: Annotated[int, Field(ge=1, strict=True)] = Field(
        5, description="domains of the cluster at a time, at most; five, as in the series"
    )
    memory: Annotated[int, Field(ge=128, le=65536, strict=True)] = Field(256, description="MiB a domain")
    volume: Annotated[int, Field(ge=64, strict=True)] = Field(4096, description="MiB a disk may grow to")

    @property
    def volume_size(self) -> int:
        """MiB of a disk."""
        return self.volume
