"""The primary's limit of a packet, raised while a restore loads; a restore that is killed leaves it to this node."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from . import databases
from .settings import HOME, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .session import Session
    from .settings import Settings

RAISED = HOME / "packets.json"
"""Of the server whose limit is raised: its address, and the limit (bytes) before."""


@contextlib.contextmanager
def raised(address: str, session: Session) -> Iterator[None]:
    """Raises the limit of a server to the most that MariaDB knows, for connections that begin meanwhile."""
    before = session.rows("SELECT @@GLOBAL.max_allowed_packet")[0][0]
    write(RAISED, json.dumps({"address": address, "before": int(before)}))
    session.rows(f"SET GLOBAL max_allowed_packet = {databases.PACKET_BYTES}")
    try:
        yield
    finally:
        _lower(session, int(before))


def lower(config: Settings) -> None:
    """Puts the limit back that a killed restore left; the repository is held, so that none runs.

    Raises:
        Failed: that server does not answer.
    """
    if not RAISED.is_file():
        return
    left = json.loads(RAISED.read_text())
    if left["address"] not in config.nodes.values():  # its node was removed
        RAISED.unlink()
        return
    with databases.writer(left["address"]).session() as session:
        _lower(session, left["before"])


def _lower(session: Session, before: int) -> None:
    session.rows(f"SET GLOBAL max_allowed_packet = {before}")
    RAISED.unlink()
