"""The bricks' disk of one node, and the processes that serve them: what the agent asks of both, and does to them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from . import bricks
from .bricks import BRICKS, VOLUME_ID
from .errors import Missing
from .rules import Brick

if TYPE_CHECKING:
    from .bricks import Top
    from .rules import Volume

MOUNT = Path("/run/lab/taking-back")
HEALER = b"glustershd"
FULL_SHARE = 0.015  # of the disk; GlusterFS itself writes nothing more into the last hundredth


class Disk:
    """/bricks of one node. Bricks are called by their volumes' names."""

    def __init__(self, node: str) -> None:
        self.node = node

    def names(self) -> list[str]:
        """All that is there."""
        return bricks.names(BRICKS)

    def brick(self, name: str) -> Brick:
        """What lies in a brick's directory."""
        path = BRICKS / name
        return Brick(bricks.unused(path), bricks.mark(path), bricks.has_data(path))

    def age(self, name: str) -> float:
        """Seconds since a directory was last changed or marked."""
        return time.time() - (BRICKS / name).stat().st_ctime

    def mark(self, volume: Volume) -> None:
        """Marks a directory as a volume's brick; creates it if missing."""
        path = BRICKS / volume.name
        path.mkdir(exist_ok=True)
        os.setxattr(path, VOLUME_ID, volume.id.bytes)

    def unmark(self, name: str) -> None:
        """Takes a mark away."""
        os.removexattr(BRICKS / name, VOLUME_ID)

    def take_back(self, volume: Volume) -> None:
        """Makes an empty directory this node's brick again.

        While it is still off, the volume's root is changed through a mount: so the others note that this brick has
        missed something, and it is healed from them, never they from it.

        Raises:
            Missing: they can't note anything now.
        """
        MOUNT.mkdir(parents=True, exist_ok=True)
        subprocess.run(["glusterfs", "--volfile-server=localhost", f"--volfile-id=/{volume.name}", MOUNT], check=True)
        try:
            (MOUNT / f".{uuid.uuid4()}").mkdir()
            for folder in MOUNT.glob(".????????-*"):
                folder.rmdir()
            os.setxattr(MOUNT, "user.lab", b"1")
            os.removexattr(MOUNT, "user.lab")
        except OSError as error:
            raise Missing(f"{volume.name} can't be changed now ({error.strerror}): its empty brick waits") from None
        finally:
            subprocess.run(["umount", "--lazy", MOUNT], check=False)
        (BRICKS / volume.name / ".glusterfs/indices").mkdir(parents=True, exist_ok=True)
        self.mark(volume)

    def lost(self, name: str, before: Top) -> bool:
        """Whether a brick lacks what it had; `before`: what `top` said once."""
        path = BRICKS / name
        return bricks.emptied(path) or bool(bricks.lost(path, before))

    def top(self, name: str) -> Top:
        """What a brick has in its root, and some of what is below."""
        return bricks.top(BRICKS / name)

    def index(self, name: str) -> list[str]:
        """The entries that a brick has noted for others."""
        return bricks.index(BRICKS / name)

    def path(self, name: str, text: str) -> str:
        """The path in a volume of what GlusterFS tells, maybe by its gfid."""
        return bricks.path_told(BRICKS / name, text)

    def set_aside(self, name: str) -> None:
        """Makes room for an empty brick; files that are left, named or not, are kept in /bricks/.NAME.emptied."""
        set_aside(BRICKS / name)

    def running(self, name: str) -> bool:
        """Whether this node's brick process of a volume lives."""
        try:
            os.kill(int(self._process_file(name).read_text()), 0)
        except (OSError, ValueError):
            return False
        return True

    def runs_for(self, name: str) -> float:
        """Seconds since the brick process of a volume began; 0 where there is none."""
        return time.time() - self._process_file(name).stat().st_mtime if self.running(name) else 0.0

    def heals(self, name: str) -> bool:
        """Whether the self-heal daemon runs, and heals a volume: one process for all; each volume notes which."""
        try:
            process = int(Path(f"/run/gluster/shd/{name}/{name}-shd.pid").read_text())
            return HEALER in Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return False

    def end(self, name: str) -> None:
        """Ends the brick process of a volume."""
        process = int(self._process_file(name).read_text())
        while self.running(name):
            os.kill(process, signal.SIGKILL)
            time.sleep(0.1)

    def full(self) -> str:
        """What is to be said of a full disk: GlusterFS writes nothing into the last hundredth (storage.reserve)."""
        disk = os.statvfs(BRICKS)
        left = disk.f_bavail * disk.f_frsize
        if left > FULL_SHARE * disk.f_blocks * disk.f_frsize:
            return ""
        return f"the bricks' disk is full ({left >> 20} MB left): nothing is written here until there is room"

    def _process_file(self, name: str) -> Path:
        return Path(f"/run/gluster/vols/{name}/{self.node}-bricks-{name}.pid")


def set_aside(brick: Path) -> None:
    """Moves a brick's directory away, and removes it where no file is left in it."""
    if not brick.is_dir():
        return
    aside = brick.with_name(f".{brick.name}.emptied")
    shutil.rmtree(aside, ignore_errors=True)
    brick.rename(aside)
    if not any(path.is_file() and not path.is_symlink() for path in aside.glob(".glusterfs/??/??/*")):
        shutil.rmtree(aside)
