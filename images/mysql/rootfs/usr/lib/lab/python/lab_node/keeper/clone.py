"""A copy of another node's data, by mariadb-backup: received and made ready here. `donation` has the donor's side."""

from __future__ import annotations

import shutil
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from . import child
from .database import ADOPT
from .durability import sync_tree
from .server import HOME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .wire import Peers

PREPARE_SECONDS = 900.0
CLONE = "data.clone"
# The names depend on the version.
POSITIONS = ("xtrabackup_binlog_info", "mariadb_backup_binlog_info")
STATES = ("xtrabackup_galera_info", "mariadb_backup_galera_info")


def cloned(peers: Peers, donor: str) -> Path:
    """A data directory with the donor's data, not yet in place.

    Raises:
        OSError: the donor can't, or broke off.
        subprocess.SubprocessError: what came can't be used.
    """
    fresh = HOME / CLONE
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    unpack = subprocess.Popen(["mbstream", "-x", "-C", str(fresh)], stdin=subprocess.PIPE)
    assert unpack.stdin is not None
    try:
        with unpack.stdin:
            for piece in peers.stream(donor, "/clone"):
                child.feed("mbstream", unpack, piece)
        if child.code("mbstream", unpack):
            raise OSError("what the donor sent can't be unpacked")
    finally:
        child.kill("mbstream", unpack)
    child.run(["mariadb-backup", "--prepare", f"--target-dir={fresh}"], PREPARE_SECONDS)
    child.run(["chown", "-R", "mysql:mysql", str(fresh)], child.END_SECONDS)
    return fresh


class Copy:
    """A copy that is being fetched, while its node goes on with what it does."""

    def __init__(self, peers: Peers, donor: str, epoch: int, *, idle: bool, read: Callable[[Path], Any]) -> None:
        """Begins.

        Args:
            peers: the other nodes.
            donor: the name of the one to copy.
            epoch: that it leads, or is in.
            idle: see below.
            read: reads something of a copy that came, or adds to it; `origin` is what it returns.
        """
        self.donor, self.epoch = donor, epoch
        self.origin: Any = None
        self.idle = idle  # whether the node's own database was down, and acknowledged nothing, when this began
        self.fresh: Path | None = None
        self.failed = ""
        self._thread = threading.Thread(target=self._fetch, args=(peers, read), daemon=True)
        self._thread.start()

    @property
    def fetching(self) -> bool:
        """Whether it is still under way."""
        return self._thread.is_alive()

    def _fetch(self, peers: Peers, read: Callable[[Path], Any]) -> None:
        try:
            fresh = cloned(peers, self.donor)
            self.origin = read(fresh)
            sync_tree(fresh)  # here, without the node's lock: it may take minutes
            self.fresh = fresh
        except (OSError, subprocess.SubprocessError, StopIteration, IndexError, ValueError) as error:
            self.failed = str(error) or type(error).__name__
            shutil.rmtree(HOME / CLONE, ignore_errors=True)  # it may have filled the disk


def adopted(fresh: Path) -> None:
    """Tells a copy, which comes without a binary log, where the donor's was; it is read at its first start."""
    file = next(path for name in POSITIONS if (path := fresh / name).exists())
    (fresh / ADOPT).write_text(file.read_text().split()[2])


def position(fresh: Path) -> tuple[str, int]:
    """Where in Galera's history a copy was made."""
    file = next(path for name in STATES if (path := fresh / name).exists())
    uuid, _, number = file.read_text().split()[0].rpartition(":")
    return uuid, int(number)
