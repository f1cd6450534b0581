"""Names that a person gives: each is one component of a path, of a host name and of a shell word, and nothing else."""

from __future__ import annotations

import re

from lab.errors import SpecError

CLUSTER = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
"""A label of a host name (RFC 1123, 2.1) in lower case. Two hyphens in a row are kept for encoded names (RFC 5890)."""

CLUSTER_LENGTH = 31  # a bridge's alias, a domain's name and a socket's path are made of it
MAILBOX = r"^[a-z0-9]+(?:[_-]+[a-z0-9]+)*(?:\.[a-z0-9]+(?:[_-]+[a-z0-9]+)*)*$"
"""An address' part before the '@': words between single dots (RFC 5321, 4.1.2, Dot-string), in lower case."""

MAILBOX_LENGTH = 64  # RFC 5321, 4.5.3.1.1
COMPONENT = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


def cluster(name: str, where: str = "") -> str:
    """The name, if a cluster may have it.

    Args:
        name: what was given.
        where: by which option, variable or file, for the message.

    Raises:
        SpecError: it is not a cluster's name.
    """
    if re.fullmatch(CLUSTER, name) and len(name) <= CLUSTER_LENGTH:
        return name
    raise SpecError(
        f"{name!r} is not a cluster's name",
        where=where,
        next_step="lower-case letters, digits and single hyphens between them, a letter first, at most "
        f"{CLUSTER_LENGTH}; a topology file is given by -f",
    )


def component(name: str) -> str:
    """The name, if it is one component of a path: the last guard before a folder of the lab's is joined with it.

    Raises:
        SpecError: it is more, or is none.
    """
    if re.fullmatch(COMPONENT, name) and ".." not in name:
        return name
    raise SpecError(
        f"{name!r} is not a name: it would lead to another folder",
        where=name,
        next_step="letters, digits, '.', '_' and '-', a letter or digit first",
    )
