"""The program of the web nodes unpacks a release as root: whatever the archive has, nothing lands outside the site."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from lab_node.sites import entries, folders, inbox, links, migration, release, settings, store
from lab_node.sites.errors import Failed
from tests.unit.node_site import file_entry, link_entry, site_of, write_archive

if TYPE_CHECKING:
    from pathlib import Path

    from lab_node.sites.site import Site


def _unpack(root: Path, *members: tarfile.TarInfo) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for entry in members:
            tar.addfile(entry, io.BytesIO(b"text") if entry.isreg() else None)
    buffer.seek(0)
    root.mkdir(parents=True)
    with tarfile.open(fileobj=buffer) as tar:
        for entry in tar:
            entries.put(tar, entry, root, 60001)


def test_files_and_links_inside_are_unpacked(tmp_path: Path) -> None:
    root = tmp_path / "site"
    _unpack(root, file_entry("d/index.html"), link_entry("d/home", "../d/index.html"), link_entry("d/up", ".."))
    assert (root / "d/home").read_text() == "text"
    assert (root / "d/up").resolve() == root


@pytest.mark.parametrize(
    "members",
    [
        (file_entry("../evil"),),
        (file_entry("/evil"),),
        (link_entry("up", ".."), file_entry("up/evil")),
        (link_entry("d/x", ".."), link_entry("d/x/y", ".."), file_entry("y/evil")),
        (link_entry("d/x", "z"), file_entry("d/x")),
    ],
    ids=["above", "absolute", "link", "chain", "through"],
)
def test_nothing_lands_outside(members: tuple[tarfile.TarInfo, ...], tmp_path: Path) -> None:
    with pytest.raises(Failed):
        _unpack(tmp_path / "a/site", *members)
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"a/b/c/up": "../../..", "out": "a/b/c/up/../../.."}, "by way of several links"),
        ({"web/files": "../data/public"}, "leads to the writable folder 'data'"),
        ({"web/all": ".."}, "leads to the writable folder 'data'"),
        ({"web/one": "two", "web/two": "../data"}, "leads to the writable folder 'data'"),
    ],
    ids=["out", "into", "around", "chain"],
)
def test_no_link_leads_out_or_to_what_the_site_writes(made: dict[str, str], said: str, tmp_path: Path) -> None:
    site = site_of(writable=["data"])
    (tmp_path / "code").mkdir()
    (tmp_path / "code/data").symlink_to("elsewhere")  # replaced by one into the store
    links.look_at(site, tmp_path / "code")
    for name, target in made.items():
        link = tmp_path / "code" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    with pytest.raises(Failed, match=said):
        links.look_at(site, tmp_path / "code")


def test_a_folder_of_root_is_no_link_of_a_site(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir(mode=0o700)
    (tmp_path / "cache").symlink_to("etc")
    with pytest.raises(Failed, match="is a link"):
        folders.folder(tmp_path / "cache", 0o777, 0, 0)
    assert (tmp_path / "etc").stat().st_mode & 0o777 == 0o700


def _inbox(site: Site, *members: tarfile.TarInfo, base: str = "", gone: tuple[str, ...] = ()) -> Path:
    """A release as it is sent: an archive in two parts."""
    source = site.local.parent / ".inbox-x"
    source.mkdir(parents=True)
    write_archive(source / "whole", *members)
    content = (source / "whole").read_bytes()
    (source / "whole").unlink()
    for number, part in enumerate((content[:10], content[10:])):
        (source / f"part-{number:04d}").write_bytes(part)
    if base:
        (source / "base").write_text(json.dumps({"base": base, "gone": gone}))
    return source


def test_a_release_that_does_not_unpack_is_not_kept(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    source = _inbox(site, file_entry("index.html"))
    monkeypatch.setattr(release, "unpack", full)
    with pytest.raises(OSError, match="No space"):
        store.store("blog", "2-b", str(source))
    assert site.releases() == ["1-a"]
    assert [path.name for path in (site.store / "releases").iterdir()] == ["1-a.tar.gz"]
    assert not list(settings.LOCAL.glob(".inbox*"))


def test_a_release_is_unpacked_anew_when_other_folders_are_writable(site: Site) -> None:
    """Or a folder that is writable no more would still lead to what the site wrote, and httpd would run it."""
    unpacked = site.local / "releases/1-a"

    def look(*writable: str) -> int:
        site.writable = list(writable)
        release.unpack(site, "1-a")
        assert links.led(site, unpacked) == set(writable)
        assert [path.name for path in (site.local / "releases").iterdir()] == ["1-a"]
        return unpacked.stat().st_ino

    assert look("data") == look("data")
    look("data", "conf")
    assert (unpacked / "index.html").read_text() == "text"
    look()


def test_the_release_before_is_one_that_was_served(site: Site) -> None:
    for number in ("2-b", "3-broken-off", "4-d"):
        site.archive(number).touch()
    (site.store / "current").write_text("2-b")  # by an earlier version, which noted no more
    store.switch("blog", "4-d")
    store.switch("blog", "previous")
    assert site.named_release == "2-b"
    store.switch("blog", "previous")
    assert site.named_release == "1-a"
    with pytest.raises(Failed, match="no release before"):
        store.switch("blog", "previous")
    store.switch("blog", "3-broken-off")  # by its name it may be
    assert site.named_release == "3-broken-off"


def test_a_revision_has_the_files_of_its_base_but_for_what_changed(site: Site) -> None:
    store.store(
        "blog",
        "2-b",
        str(_inbox(site, file_entry("index.html"), file_entry("new.html"), base="1-a", gone=("old.html",))),
    )
    here = site.local / "releases"
    assert sorted(path.name for path in (here / "2-b").iterdir()) == ["index.html", "new.html"]
    assert sorted(path.name for path in (here / "1-a").iterdir()) == ["index.html", "old.html"]
    assert (here / "2-b/index.html").stat().st_ino != (here / "1-a/index.html").stat().st_ino, "its base was written to"


def test_a_revision_replaces_a_link_that_is_gone_from_its_base(site: Site) -> None:
    write_archive(
        site.archive("1-a"), file_entry("d/x"), file_entry("y"), link_entry("one", "d/x"), link_entry("two", "d")
    )
    members = (link_entry("one", "y"), file_entry("two/x"))
    with pytest.raises(Failed, match="through a link"):
        store.store("blog", "2-b", str(_inbox(site, *members, base="1-a")))
    store.store("blog", "2-b", str(_inbox(site, *members, base="1-a", gone=("one", "two"))))
    here = site.local / "releases"
    assert ((here / "2-b/one").readlink().name, (here / "1-a/one").readlink().name) == ("y", "x")
    assert (here / "2-b/two/x").is_file()


@pytest.mark.parametrize("gone", ["../1-a/index.html", "/etc/passwd", "up/releases"])
def test_a_revision_removes_nothing_outside(site: Site, gone: str) -> None:
    write_archive(site.archive("1-a"), file_entry("d/index.html"), link_entry("up", "d/.."))
    with pytest.raises(Failed):
        store.store("blog", "2-b", str(_inbox(site, file_entry("x"), base="1-a", gone=(gone,))))
    assert site.releases() == ["1-a"]


def test_what_the_site_writes_is_no_part_of_a_revision(site: Site) -> None:
    site.writable = ["data"]
    store.store("blog", "2-b", str(_inbox(site, file_entry("data/seed"), file_entry("x"), base="1-a")))
    assert (site.local / "releases/2-b/data").is_symlink()
    assert not (site.store / "data").exists()
    with pytest.raises(Failed, match="is no file of the release"):
        store.store("blog", "3-c", str(_inbox(site, file_entry("x"), base="1-a", gone=("data/upload",))))


def test_a_revision_without_its_base_is_refused(site: Site) -> None:
    with pytest.raises(Failed, match="has no release 0-none"):
        store.store("blog", "2-b", str(_inbox(site, file_entry("x"), base="0-none")))


def test_what_was_served_before_a_sync_comes_back_and_its_revisions_do_not_replace_the_releases(site: Site) -> None:
    store.switch("blog", "1-a")
    numbers = [f"2-{n}" for n in range(9)]
    for number in numbers:
        store.store("blog", number, str(_inbox(site, file_entry("x"), base="1-a")))
        store.switch("blog", number)
    assert site.releases() == ["1-a", *numbers[-5:]]
    assert sorted(path.name for path in (site.store / "releases").glob("*.base")) == [f"{n}.base" for n in numbers[-5:]]
    store.switch("blog", "previous")
    assert site.named_release == "1-a"
    for number in (f"3-{n}" for n in range(6)):
        store.store("blog", number, str(_inbox(site, file_entry("x"))))
        store.switch("blog", number)
    assert site.releases() == [f"3-{n}" for n in range(1, 6)], "revisions go with their base"


def test_what_deployments_left_that_broke_off_is_removed_once_it_is_old(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.local.parent / ".1-a.tar.gz").write_text("of an earlier version of the lab")
    _inbox(site, file_entry("index.html"))
    inbox.clear()
    assert len(list(settings.LOCAL.glob(".*"))) == 2, "one may be on its way"
    monkeypatch.setattr(inbox, "LEFT_SECONDS", 0.0)
    inbox.clear()
    assert not list(settings.LOCAL.glob(".*"))


@pytest.mark.parametrize(
    "text",
    [
        "Require expr true",
        "require EXPR x",
        "Require ex\\\npr x",
        "<If true>\nRequire all denied\n</If>",
        "< ELSEIF true>",
        "<RequireAll>\nRequire  expr x\n</RequireAll>",
    ],
)
def test_an_access_file_with_an_expression_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / ".htaccess").write_text(text)
    with pytest.raises(Failed, match="leave that out"):
        entries.refuse_expressions(tmp_path / ".htaccess", ".htaccess")
    (tmp_path / ".htaccess").write_text("<IfModule x>\nRequire all denied\n</IfModule>\nRewriteRule ^express$ x\n")
    entries.refuse_expressions(tmp_path / ".htaccess", ".htaccess")


def _hard_link(name: str, target: str) -> tarfile.TarInfo:
    info = link_entry(name, target)
    info.type = tarfile.LNKTYPE
    return info


@pytest.mark.parametrize(
    "members",
    [
        (file_entry("x"), link_entry(".htaccess", "x")),
        (file_entry("x"), link_entry("d/.HTAccess", "../x")),
        (link_entry("d/.htaccess", "later"), file_entry("d/later")),
        (file_entry("x"), _hard_link(".htaccess", "x")),
    ],
    ids=["link", "case", "before", "hard"],
)
def test_no_link_is_an_access_file(members: tuple[tarfile.TarInfo, ...], tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"(?i)\.htaccess' is (a|neither)"):
        _unpack(tmp_path / "site", *members)


def test_an_access_file_is_checked_in_the_folder_that_a_link_leads_to(site: Site) -> None:
    access = file_entry("d/.htaccess")
    text = b"Require expr true"
    access.size = len(text)
    with tarfile.open(site.archive("2-b"), "w:gz") as tar:
        tar.addfile(link_entry("shown", "d"))
        tar.addfile(access, io.BytesIO(text))
    with pytest.raises(Failed, match="leave that out"):
        release.unpack(site, "2-b")
    assert not (site.local / "releases/2-b").exists()


def test_the_store_of_a_node_moves_to_the_shared_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    own = settings.LOCAL / "store" / "blog"
    for name, text in {"releases/2-b.tar.gz": "b", "current": "2-b", "switched": "9", "data/files/x": "own"}.items():
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(text)
    site.writable = ["files"]
    monkeypatch.setattr(
        migration, "added", lambda _, source, target: shutil.copytree(source, target) if source.is_dir() else None
    )
    migration.migrate(site)
    assert (site.named_release, site.noted("switched")) == ("2-b", "9")
    assert site.releases() == ["1-a", "2-b"]
    assert (site.store / "data/files/x").read_text() == "own"
    assert [path.name for path in own.parent.iterdir()] == ["blog.moved"]
    migration.migrate(site)
