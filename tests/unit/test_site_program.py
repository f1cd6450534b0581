"""The program of the web nodes unpacks a release as root: whatever the archive has, nothing lands outside the site."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from lab_node.sites import Failed, Site

if TYPE_CHECKING:
    from pathlib import Path

SITE = Site(
    "blog", {"number": 60001, "writable": [], "public": ""}, {"store": "/var/lib/sites/store", "httpd": "apache"}
)


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def _file(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = 4
    return info


def _unpack(root: Path, *entries: tarfile.TarInfo) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in entries:
            tar.addfile(entry, io.BytesIO(b"text") if entry.isreg() else None)
    buffer.seek(0)
    root.mkdir(parents=True)
    with tarfile.open(fileobj=buffer) as tar:
        for entry in tar:
            SITE.put(tar, entry, root)


def test_files_and_links_inside_are_unpacked(tmp_path: Path) -> None:
    root = tmp_path / "site"
    _unpack(root, _file("d/index.html"), _link("d/home", "../d/index.html"), _link("d/up", ".."))
    assert (root / "d/home").read_text() == "text"
    assert (root / "d/up").resolve() == root


@pytest.mark.parametrize(
    "entries",
    [
        (_file("../evil"),),
        (_file("/evil"),),
        (_link("up", ".."), _file("up/evil")),
        (_link("d/x", ".."), _link("d/x/y", ".."), _file("y/evil")),
        (_link("d/x", "z"), _file("d/x")),
    ],
    ids=["above", "absolute", "link", "chain", "through"],
)
def test_nothing_lands_outside(entries: tuple[tarfile.TarInfo, ...], tmp_path: Path) -> None:
    with pytest.raises(Failed):
        _unpack(tmp_path / "a/site", *entries)
    assert not list(tmp_path.rglob("evil"))
