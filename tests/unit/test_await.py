"""How long a node is asked whether it is ready: by the scripts of its image, with paths below the test's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

IMAGES = Path(__file__).parents[2] / "images"
BASE, MOUNT = (IMAGES / part / "rootfs/usr/lib/lab" for part in ("base", "parts/mount"))


@pytest.mark.parametrize("line", ["www /srv/shared uploads a:b 0750", "home /home"])
def test_a_mount_that_is_not_there_is_asked_for_to_the_end(tmp_path: Path, line: str) -> None:
    (tmp_path / "ready.d").mkdir()
    (tmp_path / "list").write_text(f"{line}\n")
    for source in (BASE / "await", BASE / "asking", MOUNT / "ready.d/mounts"):
        text = source.read_text().replace("/usr/lib/lab", str(tmp_path))
        target = tmp_path / ("ready.d/mounts" if source.name == "mounts" else source.name)
        target.write_text(text.replace("/etc/lab/mounts", f"{tmp_path}/list"))
    asked = ["bash", str(tmp_path / "await"), "1", "ready.d"]
    done = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == f"mounts: the volume {line.split(maxsplit=1)[0]} is not mounted yet\n"
