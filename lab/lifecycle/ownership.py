"""The owner of a cluster's secrets: noted in the engine, and recognizable in its nodes.

A lost folder of secrets, or another user's, must not lead to a second set of secrets for a cluster: nodes would refuse
each other, backups could not be read, and clients that trust the CA would report an attack.
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
from lab.lifecycle.fingerprints import fingerprints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.backends.base import Backend, Existing

TRUSTED = "/etc/lab/ca.crt"
"""The CA's certificate, in the nodes that have it."""

NOTE = f"{LASTING}secrets"
HAVE_IT = ("client", "mysql", "backup")


@dataclass(frozen=True)
class Owner:
    """The secrets of a cluster: fingerprints of its CA (several during a replacement), and their folder."""

    authorities: frozenset[str]
    place: str = ""


def admit(backend: Backend, existing: Existing, notes: Mapping[str, str]) -> None:
    """Refuses a user whose secrets are not the cluster's. Changes nothing.

    Args:
        backend: of the cluster.
        existing: its nodes.
        notes: of the cluster.

    Raises:
        HostError: the cluster's secrets are elsewhere; names the place if it is known.
    """
    owner = _noted(notes) or _by_certificate(backend, (node.name for node in existing.nodes if node.role in HAVE_IT))
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
    """The note that the cluster's secrets are in this user's folder."""
    known = ",".join(sorted(secrets.authorities(cluster)))
    return {NOTE: f"{known} {_place(cluster)}"}


def _place(cluster: str) -> str:
    """Place of this user's secrets of a cluster."""
    return f"{_user()}@{socket.gethostname()}:{secrets.folder(cluster)}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user ID without a name
        return str(os.getuid())


def _noted(notes: Mapping[str, str]) -> Owner | None:
    known, _, place = notes.get(NOTE, "").partition(" ")
    return Owner(frozenset(known.split(",")), place) if known else None


def _by_certificate(backend: Backend, nodes: Iterable[str]) -> Owner | None:
    """The owner by a node's CA; used without a note: of an earlier version, or lost by the engine."""
    for name in nodes:
        held = fingerprints((backend.get(name, TRUSTED) or b"").decode(errors="replace"))
        if held:
            return Owner(held)
    return None
