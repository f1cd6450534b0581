"""Validation of names given by users: each is a component of paths, host names and shell words."""

from __future__ import annotations

import re

from lab.errors import SpecError

CLUSTER = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
"""A label of a host name (RFC 1123, 2.1) in lower case. Two hyphens in a row are kept for encoded names (RFC 5890)."""

CLUSTER_LENGTH = 31  # part of a bridge's alias, a domain's name and a socket's path
MAILBOX = r"^[a-z0-9]+(?:[_-]+[a-z0-9]+)*(?:\.[a-z0-9]+(?:[_-]+[a-z0-9]+)*)*$"
"""An address' part before the '@': words between single dots (RFC 5321, 4.1.2, Dot-string), in lower case."""

MAILBOX_LENGTH = 64  # RFC 5321, 4.5.3.1.1
COMPONENT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


def cluster(name: str, where: str = "") -> str:
    """A valid name of a cluster.

    Args:
        name: the given name.
        where: its option, variable or file, for the message.

    Raises:
        SpecError: it is not valid.
    """
    if re.fullmatch(CLUSTER, name) and len(name) <= CLUSTER_LENGTH:
        return name
    raise SpecError(
        f"{name!r} is not a valid name of a cluster",
        where=where,
        next_step="lower-case letters, digits and single hyphens between them, a letter first, at most "
        f"{CLUSTER_LENGTH}; -f names a topology file",
    )


def component(name: str) -> str:
    """A valid component of a path; the last check before a path is joined with it.

    Raises:
        SpecError: it is not one component.
    """
    if re.fullmatch(COMPONENT, name) and ".." not in name:
        return name
    raise SpecError(
        f"{name!r} is not a valid name: it would lead to another folder",
        where=name,
        next_step="letters, digits, '.', '_' and '-', a letter or digit first",
    )
