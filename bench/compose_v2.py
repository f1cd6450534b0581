"""Docker Compose v2 to measure against: the one that is here, else the newer Debian's binary, unpacked only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab import paths

SUITE = "trixie"
DOWNLOAD_SECONDS = 300


def command() -> list[str] | None:
    """How to call Compose v2; None where it can't be had."""
    plugin = subprocess.run(["docker", "compose", "version"], check=False, capture_output=True, text=True)
    if plugin.returncode == 0:
        return ["docker", "compose"]
    kept = paths.logs().parent / "compose-v2"
    found = next((path for path in kept.rglob("docker-compose") if path.is_file() and os.access(path, os.X_OK)), None)
    if found is None and shutil.which("apt-get"):
        found = _unpack(kept)
    return [str(found)] if found else None


def _unpack(folder: Path) -> Path | None:
    """Downloads the newer suite's package by this machine's own sources, with lists of its own beside the system's."""
    folder.mkdir(parents=True, exist_ok=True)
    uris = _uris()
    if not uris:
        return None
    (folder / "sources.list").write_text(f"deb [trusted=yes] {uris[0]} {SUITE} main\n", encoding="utf-8")
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    options = [
        "-o",
        f"Dir::Etc::sourcelist={folder}/sources.list",
        "-o",
        "Dir::Etc::sourceparts=/dev/null",
        "-o",
        f"Dir::State::lists={folder}/lists",
        "-o",
        "APT::Sandbox::User=root",
        "-o",
        "Dir::Cache::pkgcache=",
        "-o",
        "Dir::Cache::srcpkgcache=",
    ]
    for argv in (["apt-get", *options, "update", "-q"], ["apt-get", *options, "download", "docker-compose"]):
        if subprocess.run(argv, cwd=folder, check=False, capture_output=True, timeout=DOWNLOAD_SECONDS).returncode:
            return None
    for package in folder.glob("docker-compose_*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(folder / "root")], check=True)
    return next((path for path in folder.rglob("docker-compose") if path.is_file() and os.access(path, os.X_OK)), None)


def _uris() -> list[str]:
    """Where this machine gets Debian from, security updates left out."""
    listed = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    texts = [path.read_text(encoding="utf-8") for path in listed if path.is_file()]
    found = [
        uri for text in texts for uri in re.findall(r"(?:^URIs:\s*|^deb\s+(?:\[[^\]]*\]\s+)?)(\S+)", text, re.MULTILINE)
    ]
    return [uri for uri in found if uri.rstrip("/").endswith("debian")]
