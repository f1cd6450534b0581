"""Programs that look for weaknesses, in an environment of their own: one wants older libraries than the lab."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PINNED = Path(__file__).with_name("constraints.txt")
WANTED = ("sslyze", "ssh-audit")
INSTALL_SECONDS = 600.0


def tool(name: str) -> str:
    """The path of one of `WANTED`; installed on first use, beside the project's own environment."""
    assert name in WANTED
    where = Path(sys.prefix) / "attack"
    marker = where / "ready"
    if not marker.is_file() or marker.read_text(encoding="utf-8") != PINNED.read_text(encoding="utf-8"):
        subprocess.run([sys.executable, "-m", "venv", "--clear", where], check=True, timeout=INSTALL_SECONDS)
        install = [
            str(where / "bin" / "pip"),
            "install",
            "-q",
            "--disable-pip-version-check",
            "-c",
            str(PINNED),
            *WANTED,
        ]
        subprocess.run(install, check=True, timeout=INSTALL_SECONDS)
        marker.write_text(PINNED.read_text(encoding="utf-8"), encoding="utf-8")
    return str(where / "bin" / name)
