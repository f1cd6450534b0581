"""The program of the web nodes unpacks a release as root: whatever the archive has, nothing lands outside the site."""

from __future__ import annotations

import io
import json
import os
import shutil
import socket
import tarfile
from typing import IO, TYPE_CHECKING

import pytest

from lab_node.sites import entries, folders, inbox, links, migration, person, release, settings, store, tree
from lab_node.sites.errors import Failed
from lab_node.sites.site import Site
from lab_node.sites.working_copies import WorkingCopy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _site(store: Path | str = "/none", writable: list[str] | None = None, owner: str = "") -> Site:
    told = {"number": 60001, "writable": writable or [], "public": "", "owner": owner}
    return Site("blog", told, {"store": str(store), "httpd": "apache"})


def _link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


def _file(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = 4
    return info


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
    _unpack(root, _file("d/index.html"), _link("d/home", "../d/index.html"), _link("d/up", ".."))
    assert (root / "d/home").read_text() == "text"
    assert (root / "d/up").resolve() == root


@pytest.mark.parametrize(
    "members",
    [
        (_file("../evil"),),
        (_file("/evil"),),
        (_link("up", ".."), _file("up/evil")),
        (_link("d/x", ".."), _link("d/x/y", ".."), _file("y/evil")),
        (_link("d/x", "z"), _file("d/x")),
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
    site = _site(writable=["data"])
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


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose folders are here, with one release, `1-a`, of the files `index.html` and `old.html`."""
    monkeypatch.setattr(settings, "LOCAL", tmp_path / "local")
    monkeypatch.setattr(settings, "RUN", tmp_path / "run")
    monkeypatch.setattr(folders, "folder", lambda path, *_: path.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(folders, "stored", lambda _: None)
    monkeypatch.setattr(release, "lead", lambda site, root, name: (root / name).symlink_to(site.store / "data" / name))
    found = _site(tmp_path / "store")
    for place in (found.store / "releases", found.local / "releases"):
        place.mkdir(parents=True)
    for module in (store,):
        monkeypatch.setattr(module, "one", lambda _: found)
        monkeypatch.setattr(module, "admit", lambda _: None)
    _archived(found.archive("1-a"), _file("index.html"), _file("old.html"))
    return found


def _archived(path: Path, *members: tarfile.TarInfo) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for entry in members:
            tar.addfile(entry, io.BytesIO(b"text") if entry.isreg() else None)


def _inbox(site: Site, *members: tarfile.TarInfo, base: str = "", gone: tuple[str, ...] = ()) -> Path:
    """A release as it is sent: an archive in two parts."""
    source = site.local.parent / ".inbox-x"
    source.mkdir(parents=True)
    _archived(source / "whole", *members)
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

    source = _inbox(site, _file("index.html"))
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
        "blog", "2-b", str(_inbox(site, _file("index.html"), _file("new.html"), base="1-a", gone=("old.html",)))
    )
    here = site.local / "releases"
    assert sorted(path.name for path in (here / "2-b").iterdir()) == ["index.html", "new.html"]
    assert sorted(path.name for path in (here / "1-a").iterdir()) == ["index.html", "old.html"]
    assert (here / "2-b/index.html").stat().st_ino != (here / "1-a/index.html").stat().st_ino, "its base was written to"


def test_a_revision_replaces_a_link_that_is_gone_from_its_base(site: Site) -> None:
    _archived(site.archive("1-a"), _file("d/x"), _file("y"), _link("one", "d/x"), _link("two", "d"))
    members = (_link("one", "y"), _file("two/x"))
    with pytest.raises(Failed, match="through a link"):
        store.store("blog", "2-b", str(_inbox(site, *members, base="1-a")))
    store.store("blog", "2-b", str(_inbox(site, *members, base="1-a", gone=("one", "two"))))
    here = site.local / "releases"
    assert ((here / "2-b/one").readlink().name, (here / "1-a/one").readlink().name) == ("y", "x")
    assert (here / "2-b/two/x").is_file()


@pytest.mark.parametrize("gone", ["../1-a/index.html", "/etc/passwd", "up/releases"])
def test_a_revision_removes_nothing_outside(site: Site, gone: str) -> None:
    _archived(site.archive("1-a"), _file("d/index.html"), _link("up", "d/.."))
    with pytest.raises(Failed):
        store.store("blog", "2-b", str(_inbox(site, _file("x"), base="1-a", gone=(gone,))))
    assert site.releases() == ["1-a"]


def test_what_the_site_writes_is_no_part_of_a_revision(site: Site) -> None:
    site.writable = ["data"]
    store.store("blog", "2-b", str(_inbox(site, _file("data/seed"), _file("x"), base="1-a")))
    assert (site.local / "releases/2-b/data").is_symlink()
    assert not (site.store / "data").exists()
    with pytest.raises(Failed, match="is no file of the release"):
        store.store("blog", "3-c", str(_inbox(site, _file("x"), base="1-a", gone=("data/upload",))))


def test_a_revision_without_its_base_is_refused(site: Site) -> None:
    with pytest.raises(Failed, match="has no release 0-none"):
        store.store("blog", "2-b", str(_inbox(site, _file("x"), base="0-none")))


def test_what_was_served_before_a_sync_comes_back_and_its_revisions_do_not_replace_the_releases(site: Site) -> None:
    store.switch("blog", "1-a")
    numbers = [f"2-{n}" for n in range(9)]
    for number in numbers:
        store.store("blog", number, str(_inbox(site, _file("x"), base="1-a")))
        store.switch("blog", number)
    assert site.releases() == ["1-a", *numbers[-5:]]
    assert sorted(path.name for path in (site.store / "releases").glob("*.base")) == [f"{n}.base" for n in numbers[-5:]]
    store.switch("blog", "previous")
    assert site.named_release == "1-a"
    for number in (f"3-{n}" for n in range(6)):
        store.store("blog", number, str(_inbox(site, _file("x"))))
        store.switch("blog", number)
    assert site.releases() == [f"3-{n}" for n in range(1, 6)], "revisions go with their base"


def test_what_deployments_left_that_broke_off_is_removed_once_it_is_old(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site.local.parent / ".1-a.tar.gz").write_text("of an earlier version of the lab")
    _inbox(site, _file("index.html"))
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
    info = _link(name, target)
    info.type = tarfile.LNKTYPE
    return info


@pytest.mark.parametrize(
    "members",
    [
        (_file("x"), _link(".htaccess", "x")),
        (_file("x"), _link("d/.HTAccess", "../x")),
        (_link("d/.htaccess", "later"), _file("d/later")),
        (_file("x"), _hard_link(".htaccess", "x")),
    ],
    ids=["link", "case", "before", "hard"],
)
def test_no_link_is_an_access_file(members: tuple[tarfile.TarInfo, ...], tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"(?i)\.htaccess' is (a|neither)"):
        _unpack(tmp_path / "site", *members)


def test_an_access_file_is_checked_in_the_folder_that_a_link_leads_to(site: Site) -> None:
    access = _file("d/.htaccess")
    text = b"Require expr true"
    access.size = len(text)
    with tarfile.open(site.archive("2-b"), "w:gz") as tar:
        tar.addfile(_link("shown", "d"))
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


def _people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user whose programs run as whoever runs this."""
    monkeypatch.setattr(tree, "HOMES", tmp_path / "home")
    monkeypatch.setattr(person, "done_as", lambda _, work, *__: work())
    (tmp_path / "home/ann").mkdir(parents=True)
    return tmp_path / "home/ann/sites"


def test_a_working_copy_is_packed_without_following_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = _people(tmp_path, monkeypatch)
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("secret")
    assert not tree.look("ann", "blog", ())["there"]
    place.symlink_to("../../secret")
    with pytest.raises(Failed, match="is a link"):
        tree.look("ann", "secret", ())
    place.unlink()
    place.mkdir()
    (place / "blog").symlink_to("../../../secret")
    with pytest.raises(Failed, match="is a link"):
        tree.pack("ann", "blog", (), io.BytesIO())
    (place / "blog").unlink()
    (place / "blog/data").mkdir(parents=True)
    (place / "blog/data/x").write_text("its own")
    (place / "blog/out").symlink_to("../../../../secret")
    (place / "blog/index.html").write_text("hello")
    before = tree.look("ann", "blog", ("data",))
    buffer = io.BytesIO()
    tree.pack("ann", "blog", ("data",), buffer)
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as tar:
        assert {entry.name: entry.issym() for entry in tar} == {"index.html": False, "out": True}
    (place / "blog/data/x").write_text("changed")
    assert tree.look("ann", "blog", ("data",)) == before
    (place / "blog/index.html").write_text("Hello")
    assert tree.look("ann", "blog", ("data",)) != before
    os.mkfifo(place / "blog/pipe")
    with pytest.raises(Failed, match="neither a file nor a folder nor a link"):
        tree.pack("ann", "blog", (), io.BytesIO())


def test_a_working_copy_and_the_releases_follow_each_other(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _people(tmp_path, monkeypatch) / "blog"
    site.owner = "ann"
    copy = WorkingCopy("blog")
    monkeypatch.setattr(WorkingCopy, "site", property(lambda _: site))
    store.switch("blog", "1-a")
    release.converge(site, whole=False)
    copy.exchange()
    assert sorted(path.name for path in place.iterdir()) == ["index.html", "old.html"]
    (place / "index.html").write_text("edited")
    copy.exchange()
    assert site.named_release == "1-a", "nobody knows yet whether more comes"
    copy.exchange()
    edited = site.named_release
    assert edited != "1-a"
    assert (site.local / "current/index.html").read_text() == "edited"
    assert edited in (place.parent / "blog.status").read_text()

    (place / "index.html").write_text("not served yet")
    store.switch("blog", "1-a")
    release.converge(site, whole=False)
    copy.exchange()
    assert (place / "index.html").read_text() == "text"
    kept = [path for path in place.parent.iterdir() if path.name.startswith("blog.2")]
    assert [(path / "index.html").read_text() for path in kept] == ["not served yet"]

    (place / "out").symlink_to("/etc")
    for _ in range(2):
        copy.next = 0
        copy.turn()
    assert site.named_release == "1-a"
    assert "Not served: the link 'out'" in (place.parent / "blog.status").read_text()
    copy.exchange()  # it is not tried again until something changes


@pytest.fixture
def copy(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkingCopy:
    """The working copy of ann, which shows the release `1-a`."""
    _people(tmp_path, monkeypatch)
    site.owner = "ann"
    monkeypatch.setattr(WorkingCopy, "site", property(lambda _: site))
    store.switch("blog", "1-a")
    release.converge(site, whole=False)
    made = WorkingCopy("blog")
    made.exchange()
    return made


def _operator_serves(site: Site, number: str) -> None:
    _archived(site.archive(number), _file("index.html"))
    store.switch("blog", number)
    release.converge(site, whole=False)


def _kept(place: Path) -> list[str]:
    """The texts of `index.html` in the folders that are kept beside a working copy."""
    return [(path / "index.html").read_text() for path in place.parent.glob("blog.2*")]


@pytest.mark.parametrize("vanishing", ["old.html", "folder", "link"])
def test_edits_stay_when_a_file_vanishes_during_a_look(
    vanishing: str, copy: WorkingCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "home/ann/sites/blog"
    (place / "folder").mkdir()
    (place / "link").symlink_to("index.html")
    (place / "index.html").write_text("edited")
    calls = {"stat": os.stat, "open": os.open, "readlink": os.readlink}

    def lacking(call: str) -> Callable[..., object]:
        def refuse(path: object, *args: object, **options: object) -> object:
            if path == vanishing:
                raise FileNotFoundError(2, "No such file or directory", vanishing)
            return calls[call](path, *args, **options)  # type: ignore[operator]

        return refuse

    with monkeypatch.context() as changed:
        call = {"old.html": "stat", "folder": "open", "link": "readlink"}[vanishing]
        changed.setattr(os, call, lacking(call))
        copy.exchange()
        copy.exchange()
    assert (place / "index.html").read_text() == "edited"
    assert copy.site.named_release == "1-a", "it is looked at again"
    copy.exchange()
    copy.exchange()
    assert (copy.site.local / "current/index.html").read_text() == "edited"


def _saved(place: Path) -> None:
    (place / "index.html").write_text("saved late")


def _under_version_control(place: Path) -> None:
    (place / ".git").mkdir()


@pytest.mark.parametrize(
    ("change", "kept"), [(_saved, ["saved late"]), (_under_version_control, ["text"]), (lambda _: None, [])]
)
def test_what_is_saved_while_a_release_replaces_the_folder_is_kept(
    change: Callable[[Path], None],
    kept: list[str],
    copy: WorkingCopy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, extracted = tmp_path / "home/ann/sites/blog", tree.extracted
    _operator_serves(copy.site, "2-b")

    def slow(archive: IO[bytes]) -> None:
        extracted(archive)
        change(place)

    monkeypatch.setattr(tree, "extracted", slow)
    copy.exchange()
    assert [path.name for path in place.iterdir()] == ["index.html"]
    assert _kept(place) == kept
    assert ("What you had changed is in blog.2" in (place.parent / "blog.status").read_text()) == bool(kept)
    assert [path.name for path in place.parent.iterdir() if path.name.startswith(".")] == []
    copy.exchange()
    assert (copy.site.named_release, _kept(place)) == ("2-b", kept)


def test_a_folder_that_a_look_did_not_see_is_kept(
    copy: WorkingCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "home/ann/sites/blog"
    (place / "index.html").write_text("edited")
    monkeypatch.setattr(tree, "look", lambda *_: {"there": False, "home": True, "tree": "", "files": 0})
    copy.exchange()
    assert (place / "index.html").read_text() == "text"
    assert _kept(place) == ["edited"]


def test_one_node_at_a_time_looks_after_a_copy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkingCopy, "site", property(lambda _: site))
    one, two = WorkingCopy("blog"), WorkingCopy("blog")
    monkeypatch.setattr(socket, "gethostname", lambda: "web1")
    assert one.leads()
    monkeypatch.setattr(socket, "gethostname", lambda: "web2")
    assert not two.leads()
    two.since -= 100
    assert two.leads(), "the other one has not renewed it"
    monkeypatch.setattr(socket, "gethostname", lambda: "web1")
    assert not one.leads()
