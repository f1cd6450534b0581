"""The bricks of a storage node: directories below /bricks, one of each volume, and the processes that serve them."""

import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

BRICKS = Path("/bricks")
VOLUME_ID = "trusted.glusterfs.volume-id"
ROOT = "00000000-0000-0000-0000-000000000001"
GFID = "trusted.gfid"
OWN = (".glusterfs", ".trashcan")  # GlusterFS' own in a brick's root
FULL_SHARE = 0.015  # of the disk; GlusterFS itself writes nothing more into the last hundredth


class Missing(Exception):
    """What is not yet as it should be."""


def unused(brick):
    """Whether a directory was never a brick that ran: it is not there, or has no more than the making of a volume leaves."""
    names = os.listdir(brick) if brick.is_dir() else []
    return not names or (names == [".glusterfs"] and not os.listdir(brick / ".glusterfs"))


def attempted(brick):
    """Whether a directory is marked as some volume's brick."""
    return brick.is_dir() and VOLUME_ID in os.listxattr(brick)


def forget_attempts(known, seconds):
    """Takes back the marks of volumes that were then not made, so many seconds after they were set: a node refused or died.

    GlusterFS takes no brick that is marked for another volume, so they would be in the way for ever.
    """
    for brick in BRICKS.iterdir():
        if brick.name not in known and unused(brick) and attempted(brick) and time.time() - brick.stat().st_ctime > seconds:
            os.removexattr(brick, VOLUME_ID)


def marked(brick, volume):
    """Whether a directory is the volume's brick."""
    try:
        return os.getxattr(brick, VOLUME_ID) == volume.id.bytes
    except OSError:
        return False


def take_back(volume, brick):
    """Makes an empty directory this node's brick again.

    While it is still off, the volume's root is changed through a mount: so the others note that this brick has missed
    something, and it is healed from them, never they from it.
    """
    where = Path("/run/lab/taking-back")
    where.mkdir(parents=True, exist_ok=True)
    subprocess.run(["glusterfs", "--volfile-server=localhost", f"--volfile-id=/{volume.name}", where], check=True)
    try:
        (where / f".{uuid.uuid4()}").mkdir()
        for made in where.glob(".????????-*"):
            made.rmdir()
        os.setxattr(where, "user.lab", b"1")
        os.removexattr(where, "user.lab")
    except OSError as error:
        raise Missing(f"{volume.name} can't be changed now ({error.strerror}): its empty brick waits") from None
    finally:
        subprocess.run(["umount", "--lazy", where], check=False)
    (brick / ".glusterfs/indices").mkdir(parents=True, exist_ok=True)
    os.setxattr(brick, VOLUME_ID, volume.id.bytes)


def end_brick(node, name):
    """Ends this node's brick process of a volume."""
    process = int(process_file(node, name).read_text())
    while running(node, name):
        os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


def set_aside(brick):
    """Makes room for an empty brick; files that are left, with or without a name, are kept in /bricks/.NAME.emptied."""
    if not brick.is_dir():
        return
    kept = BRICKS / f".{brick.name}.emptied"
    shutil.rmtree(kept, ignore_errors=True)
    brick.rename(kept)
    if not any(path.is_file() and not path.is_symlink() for path in kept.glob(".glusterfs/??/??/*")):
        shutil.rmtree(kept)


def process_file(node, name):
    """Where the number of this node's brick process of a volume is."""
    return Path(f"/run/gluster/vols/{name}/{node}-bricks-{name}.pid")


def started(node, name):
    """When this node's brick process of a volume began, in Unix seconds; now where there is none."""
    return process_file(node, name).stat().st_mtime if running(node, name) else time.time()


def running(node, name):
    """Whether this node's brick process of a volume lives."""
    try:
        os.kill(int(process_file(node, name).read_text()), 0)
    except (OSError, ValueError):
        return False
    return True


def full():
    """What is to be said of a disk on which GlusterFS writes no more: it keeps the last hundredth (storage.reserve)."""
    disk = os.statvfs(BRICKS)
    left = disk.f_bavail * disk.f_frsize
    if left > FULL_SHARE * disk.f_blocks * disk.f_frsize:
        return ""
    return f"the bricks' disk is full ({left >> 20} MB left): nothing is written here until there is room"


def path_of(brick, gfid):
    """A directory's path in its volume, by the links that the brick has for each; by its gfid where one is missing."""
    names = []
    while gfid != ROOT:
        try:
            parent, name = os.path.split(os.readlink(handle(brick, gfid)))
        except OSError:
            return "/".join([f"/<gfid:{gfid}>", *reversed(names)])
        names.append(name)
        gfid = os.path.basename(parent)
    return "".join(f"/{name}" for name in reversed(names))


def handle(brick, gfid):
    """The second link to each file, and the one to each directory, that GlusterFS keeps by gfid."""
    return brick / ".glusterfs" / gfid[:2] / gfid[2:4] / gfid


def top(brick):
    """What a brick has in its root: by name, gfid and inode."""
    found = {}
    for entry in os.scandir(brick) if brick.is_dir() else ():
        if not entry.name.startswith(OWN):
            try:
                gfid = uuid.UUID(bytes=os.getxattr(entry.path, GFID, follow_symlinks=False))
            except (OSError, ValueError):  # it is being made or removed
                continue
            found[entry.name] = str(gfid), entry.inode()
    return found


def lost(brick, before):
    """The names of a brick's root that somebody removed behind the back of GlusterFS; `before`: what `top` said once.

    GlusterFS removes its link by gfid with a name. A name that it then makes again, when a client looks it up, is the
    same gfid with another inode: that is no way to heal the rest.
    """
    now = top(brick)
    return sorted(
        name
        for name, (gfid, inode) in before.items()
        if (now[name][0] == gfid and now[name][1] != inode if name in now else nameless(handle(brick, gfid)))
    )


def emptied(brick):
    """Whether somebody removed the files of a brick that served: its names are gone, or all of it is.

    A volume that is empty has no link by gfid but to its own root.
    """
    if not brick.is_dir():
        return True
    if any(not name.startswith(OWN) for name in os.listdir(brick)):
        return False
    if not handle(brick, ROOT).is_symlink():
        return True
    return any(nameless(link) for link in (brick / ".glusterfs").glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"))


def nameless(link):
    """Whether what a link by gfid leads to has no name any more."""
    try:
        return not link.exists() if link.is_symlink() else link.stat().st_nlink == 1
    except FileNotFoundError:
        return False
