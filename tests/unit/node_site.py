"""A site of a web node in a test's folder, and the entries and archives of its releases."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

from lab_node.sites import folders, release, settings, store
from lab_node.sites.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def site_of(place: Path | str = "/none", writable: list[str] | None = None) -> Site:
    """A site with its store there."""
    plan = {"number": 60001, "writable": writable or [], "public": "", "owner": ""}
    return Site("blog", plan, {"store": str(place), "httpd": "apache"})


def link_entry(name: str, target: str) -> tarfile.TarInfo:
    """A symbolic link."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def file_entry(name: str) -> tarfile.TarInfo:
    """A file of the content `text`."""
    info = tarfile.TarInfo(name)
    info.size = 4
    return info


def write_archive(path: Path, *members: tarfile.TarInfo) -> None:
    """The archive of a release."""
    with tarfile.open(path, "w:gz") as tar:
        for entry in members:
            tar.addfile(entry, io.BytesIO(b"text") if entry.isreg() else None)


def node_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose folders are here, with one release, `1-a`, of the files `index.html` and `old.html`."""
    monkeypatch.setattr(settings, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(settings, "RUN", tmp_path / "run")
    monkeypatch.setattr(folders, "folder", lambda path, *_: path.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(folders, "stored", lambda _: None)
    monkeypatch.setattr(release, "lead", lambda site, root, name: (root / name).symlink_to(site.store / "data" / name))
    found = site_of(tmp_path / "store")
    for place in (found.store / "releases", found.local / "releases"):
        place.mkdir(parents=True)
    monkeypatch.setattr(store, "one", lambda _: found)
    monkeypatch.setattr(store, "admit", lambda _: None)
    write_archive(found.archive("1-a"), file_entry("index.html"), file_entry("old.html"))
    return found
