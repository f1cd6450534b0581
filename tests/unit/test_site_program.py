"""The program of the web nodes unpacks a release as root: whatever the archive has, nothing lands outside the site."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from lab_node import sites
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


@pytest.mark.parametrize(
    ("links", "said"),
    [
        ({"a/b/c/up": "../../..", "out": "a/b/c/up/../../.."}, "by way of several links"),
        ({"web/files": "../data/public"}, "leads to the writable folder 'data'"),
        ({"web/all": ".."}, "leads to the writable folder 'data'"),
        ({"web/one": "two", "web/two": "../data"}, "leads to the writable folder 'data'"),
    ],
    ids=["out", "into", "around", "chain"],
)
def test_no_link_leads_out_or_to_what_the_site_writes(links: dict[str, str], said: str, tmp_path: Path) -> None:
    site = Site("blog", {"number": 60001, "writable": ["data"], "public": ""}, {"store": "/none", "httpd": "apache"})
    (tmp_path / "code").mkdir()
    (tmp_path / "code/data").symlink_to("elsewhere")  # replaced by one into the store
    site.look_at_links(tmp_path / "code")
    for name, target in links.items():
        link = tmp_path / "code" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    with pytest.raises(Failed, match=said):
        site.look_at_links(tmp_path / "code")


def test_a_folder_of_root_is_no_link_of_a_site(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to("etc")
    with pytest.raises(Failed, match="is a link"):
        sites.folder(tmp_path / "cache", 0o777, 0, 0)
    assert (tmp_path / "etc").stat().st_mode & 0o777 == 0o700


def test_a_release_that_does_not_unpack_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site("blog", {"number": 60001, "writable": [], "public": ""}, {"store": str(tmp_path), "httpd": "apache"})
    (site.store / "releases").mkdir(parents=True)
    archive = tmp_path / "inbox.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(_file("index.html"), io.BytesIO(b"text"))

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(site, "unpack", full)
    monkeypatch.setattr(site, "shared", lambda: None)
    monkeypatch.setattr(sites, "one", lambda _: site)
    monkeypatch.setattr(sites, "admit", lambda _: None)
    monkeypatch.setattr(sites, "READY", tmp_path / "run/sites")
    with pytest.raises(OSError, match="No space"):
        sites.store("blog", "20260101-000000000-00000000", str(archive))
    assert site.releases() == []
    assert not list((site.store / "releases").iterdir())
    assert not archive.exists()


def test_a_release_is_unpacked_anew_when_other_folders_are_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a folder that is writable no more would still lead to what the site wrote, and httpd would run it."""
    monkeypatch.setattr(sites, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(Site, "lead", lambda self, root, name: (root / name).symlink_to(self.store / "data" / name))
    (tmp_path / "blog/releases").mkdir(parents=True)
    with tarfile.open(tmp_path / "blog/releases/1-a.tar.gz", "w:gz") as tar:
        tar.addfile(_file("index.html"), io.BytesIO(b"text"))

    def unpacked(writable: list[str]) -> Path:
        told = {"number": 60001, "writable": writable, "public": ""}
        site = Site("blog", told, {"store": str(tmp_path), "httpd": "apache"})
        (site.local / "releases").mkdir(parents=True, exist_ok=True)
        site.unpack("1-a")
        assert site.led(site.local / "releases/1-a") == set(writable)
        assert [path.name for path in (site.local / "releases").iterdir()] == ["1-a"]
        return site.local / "releases/1-a"

    one = unpacked(["data"]).stat().st_ino
    assert unpacked(["data"]).stat().st_ino == one
    assert (unpacked(["data", "conf"]) / "index.html").read_text() == "text"
    unpacked([])


def test_the_release_before_is_one_that_was_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site("blog", {"number": 60001, "writable": [], "public": ""}, {"store": str(tmp_path), "httpd": "apache"})
    monkeypatch.setattr(sites, "one", lambda _: site)
    (site.store / "releases").mkdir(parents=True)
    for release in ("1-a", "2-b", "3-broken-off", "4-d"):
        (site.store / "releases" / f"{release}.tar.gz").touch()
    (site.store / "current").write_text("2-b")  # by an earlier version, which noted no more
    sites.switch("blog", "4-d")
    sites.switch("blog", "previous")
    assert site.wanted == "2-b"
    sites.switch("blog", "previous")
    assert site.wanted == "1-a"
    with pytest.raises(Failed, match="no release before"):
        sites.switch("blog", "previous")
    sites.switch("blog", "3-broken-off")  # by its name it may be
    assert site.wanted == "3-broken-off"
