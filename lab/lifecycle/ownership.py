"""Whose secrets a cluster has: noted with it in the engine, and to be seen in its nodes.

A folder of secrets that was lost, or is another person's, must not lead to a second set for a cluster that has one:
its nodes would refuse each other, its backups could not be read, and who trusts its CA would be warned of an attack.
"""

from __future__ import annotations

import getpass
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.backends.base import LASTING
from lab.errors import HostError
from lab.lifecycle import secrets
from lab.lifecycle.certificates import fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.backends.base import Backend, Existing

TRUSTED = "/etc/lab/ca.crt"
"""The CA's certificate, in the nodes that have it."""

NOTE = f"{LASTING}secrets"
HAVE_IT = ("client", "mysql", "backup")


@dataclass(frozen=True)
class Owner:
    """The secrets that a cluster has: the fingerprints of its CA (more than one while that is renewed), and a place."""

    authorities: frozenset[str]
    place: str = ""


def admit(backend: Backend, existing: Existing, notes: Mapping[str, str]) -> None:
    """Lets nobody go on who has other secrets than the cluster; changes nothing.

    Args:
        backend: where the cluster is.
        existing: its nodes.
        notes: what is noted with it.

    Raises:
        HostError: the cluster's secrets are elsewhere; says where, as far as it is known.
    """
    owner = _noted(notes) or _seen(backend, (node.name for node in existing.nodes if node.role in HAVE_IT))
    own = secrets.authorities(backend.cluster)
    if owner is None or own & owner.authorities:
        return
    folder = secrets.folder(backend.cluster)
    if owner.place == _place(backend.cluster):
        raise HostError(
            f"the CA of the cluster '{backend.cluster}' is missing in {folder}, or was replaced there",
            where=str(folder),
            next_step="restore the folder from a copy; 'lab down --volumes' removes the cluster with its data",
        )
    has = "has other secrets than those" if own else "has secrets, and they are not"
    whose = owner.place or "not known: they were made by an earlier version"
    raise HostError(
        f"the cluster '{backend.cluster}' {has} in {folder}",
        where=f"the cluster's secrets: {whose}",
        next_step=f"run lab as that user, or copy that folder to {folder}; 'lab down --volumes' removes the cluster"
        " with its data",
    )


def note(cluster: str) -> dict[str, str]:
    """What is noted with the cluster's data: that its secrets are those in this user's folder."""
    known = ",".join(sorted(secrets.authorities(cluster)))
    return {NOTE: f"{known} {_place(cluster)}"}


def _place(cluster: str) -> str:
    """Where this user keeps a cluster's secrets."""
    return f"{_user()}@{socket.gethostname()}:{secrets.folder(cluster)}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        return str(os.getuid())


def _noted(notes: Mapping[str, str]) -> Owner | None:
    known, _, place = notes.get(NOTE, "").partition(" ")
    return Owner(frozenset(known.split(",")), place) if known else None


def _seen(backend: Backend, nodes: Iterable[str]) -> Owner | None:
    """As a node has it; the note is missing where an earlier version made the cluster, or the engine lost it."""
    for name in nodes:
        held = fingerprints((backend.get(name, TRUSTED) or b"").decode(errors="replace"))
        if held:
            return Owner(held)
    return None
