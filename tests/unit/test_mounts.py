"""When the process of a mount is replaced: /usr/lib/lab/mounts of the image, with paths below the test's folder.

No command makes GlusterFS fail for ever: its process is a sleep here, and what is mounted a folder. Mounts that hang,
of real nodes, are in tests/cluster/test_mounts.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.slow("the patience with a mount is waited for")

IMAGES = Path(__file__).parents[2] / "images"
BASE, MOUNT = (IMAGES / part / "rootfs/usr/lib/lab" for part in ("base", "parts/mount"))
PATIENCE = 3  # seconds, of both kinds: more than a busy machine takes for one question
LIMIT = 20.0
GLUSTERFS = """#!/bin/sh
echo $$ "$@" >> {folder}/begun
exec sleep 60
"""


class Mounts:
    """The script, keeping one mount whose process does nothing."""

    def __init__(self, folder: Path, *, serves: bool) -> None:
        self.folder, self.path = folder, folder / "home"
        self.serve() if serves else self.fail()
        (folder / "mounts").write_text(f"storage1:/home {self.path} fuse.glusterfs rw 0 0\n")
        (folder / "etc").write_text(f"home {self.path} shared {os.getuid()}:{os.getgid()} 0755\n")
        (folder / "storage").write_text("storage1 storage2\n")
        for name, text in (("glusterfs", GLUSTERFS.format(folder=folder)), ("umount", "#!/bin/sh\n")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        text = (MOUNT / "mounts").read_text()
        for old, new in (
            ("/etc/lab/mounts", folder / "etc"),
            ("/etc/lab/storage", folder / "storage"),
            ("/proc/mounts", folder / "mounts"),
            ("/usr/lib/lab/asking", BASE / "asking"),
            ("/run/lab/anew", folder / "staging"),
            ("FIRST_PATIENCE=10", f"FIRST_PATIENCE={PATIENCE}"),
            ("SERVING_PATIENCE=60", f"SERVING_PATIENCE={PATIENCE}"),
            ("rest 5", "rest 0.1"),
        ):
            assert old in text, old
            text = text.replace(old, str(new))
        (folder / "script").write_text(text)
        self._process = subprocess.Popen(
            ["bash", str(folder / "script")],
            env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def serve(self) -> None:
        self.path.mkdir()

    def fail(self) -> None:
        """Its root can no longer be read, and no folder can be made there."""
        if self.path.is_dir():
            (self.path / "shared").rmdir()
            self.path.rmdir()
        self.path.write_text("")

    def begun(self) -> list[str]:
        """The command lines of the processes of the mount until now."""
        began = self.folder / "begun"
        return began.read_text().splitlines() if began.exists() else []

    def until(self, good: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT
        while not good():
            assert time.monotonic() < end, self.begun()
            time.sleep(0.05)

    def end(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def forget(self) -> None:
        """Its root can be read, and its directory can't be made."""
        (self.path / "shared").rmdir()
        (self.path / "shared").write_text("")


@pytest.fixture
def mounts(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Mounts]:
    kept = Mounts(tmp_path, serves=request.param)
    yield kept
    kept.end()


@pytest.mark.parametrize("mounts", [False], indirect=True)
def test_a_mount_that_never_said_anything_but_errors_is_replaced(mounts: Mounts) -> None:
    mounts.until(lambda: len(mounts.begun()) > 1)
    first, second = (line.split("--volfile-server=")[1].split()[0] for line in mounts.begun()[:2])
    assert (first, second) == ("storage1", "storage2"), "another node is asked"


@pytest.mark.parametrize("mounts", [True], indirect=True)
def test_a_mount_that_served_keeps_what_is_open_through_errors(mounts: Mounts) -> None:
    mounts.until((mounts.path / "shared").exists)
    mounts.fail()
    time.sleep(3 * PATIENCE)
    assert len(mounts.begun()) == 1


@pytest.mark.parametrize("mounts", [True], indirect=True)
def test_a_mount_that_can_be_read_alone_serves(mounts: Mounts) -> None:
    mounts.until((mounts.path / "shared").exists)
    mounts.forget()
    time.sleep(3 * PATIENCE)
    assert len(mounts.begun()) == 1
