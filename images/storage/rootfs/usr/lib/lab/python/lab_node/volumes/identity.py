"""Who this node is, and who its peers are, as glusterd keeps it: written before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .settings import Settings

STATE = Path("/var/lib/glusterd")
OPERATING_VERSION = 100000  # GlusterFS 10, which both families have or exceed
BEFRIENDED = 3


def write(config: Settings) -> None:
    """The files by which glusterd knows itself and its peers, as a probe would have left them."""
    (STATE / "peers").mkdir(parents=True, exist_ok=True)
    own = STATE / "glusterd.info"
    if not own.exists() or not own.read_text():
        own.write_text(f"UUID={config.peers[config.node]}\noperating-version={OPERATING_VERSION}\n")
    for name, identity in config.peers.items():
        peer = STATE / "peers" / identity
        if name != config.node and not (peer.exists() and peer.read_text()):
            peer.write_text(f"uuid={identity}\nstate={BEFRIENDED}\nhostname1={name}\n")
