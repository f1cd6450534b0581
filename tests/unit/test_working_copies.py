"""The working copies of the sites' owners: nothing that an owner saves is lost, and what settles is served."""

from __future__ import annotations

import io
import os
import pwd
import socket
import tarfile
from typing import IO, TYPE_CHECKING

import pytest

from lab_node.sites import errors, person, release, store, tree
from lab_node.sites.errors import Failed
from lab_node.sites.working_copies import WorkingCopy
from tests.unit.node_site import file_entry, write_archive

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab_node.sites.site import Site


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
    write_archive(site.archive(number), file_entry("index.html"))
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


@pytest.mark.parametrize(
    "trouble",
    [OSError(28, "No space left on device"), Failed("the store is full"), Failed("it did not end within 1 s")],
)
@pytest.mark.parametrize("step", [(tree, "pack"), (store, "store"), (store, "named"), (release, "room")])
def test_a_passing_trouble_does_not_refuse_an_edit(
    step: tuple[object, str], trouble: Exception, copy: WorkingCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "home/ann/sites"
    (files / "blog/index.html").write_text("edited")

    def fail(*_: object) -> None:
        raise trouble

    def turns(count: int) -> None:
        for _ in range(count):
            copy.next = 0
            copy.turn()

    with monkeypatch.context() as broken:
        broken.setattr(*step, fail)
        turns(3)
        assert f"Not served: {trouble}" in (files / "blog.status").read_text()
    turns(1)
    assert (copy.site.local / "current/index.html").read_text() == "edited"
    assert "which is served" in (files / "blog.status").read_text()


def test_the_status_says_that_a_trouble_has_passed(
    copy: WorkingCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = tmp_path / "home/ann/sites"

    def turns(count: int) -> str:
        for _ in range(count):
            copy.next = 0
            copy.turn()
        return (files / "blog.status").read_text()

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(tree, "summed", fail)
        assert turns(1).startswith("Not served: ")
    assert turns(1).startswith("The same as the release 1-a")
    (files / "blog/out").symlink_to("/etc")
    assert turns(3).startswith("Not served: the link 'out'")
    (files / "blog/out").unlink()
    assert turns(1).startswith("The same as the release 1-a")


def _expression(place: Path) -> None:
    (place / ".htaccess").write_text("Require expr true")


def _link_out(place: Path) -> None:
    (place / "out").symlink_to("/etc")


def _links_out(place: Path) -> None:
    (place / "a/b").mkdir(parents=True)
    (place / "a/b/up").symlink_to("../..")
    (place / "out").symlink_to("a/b/up/../x")


def _pipe(place: Path) -> None:
    os.mkfifo(place / "pipe")


@pytest.mark.parametrize("change", [_expression, _link_out, _links_out, _pipe])
def test_content_that_no_release_has_is_refused_once(
    change: Callable[[Path], None], copy: WorkingCopy, tmp_path: Path
) -> None:
    change(tmp_path / "home/ann/sites/blog")
    copy.exchange()
    with pytest.raises(errors.ContentError):
        copy.exchange()
    copy.exchange()
    assert copy.site.named_release == "1-a"


@pytest.mark.parametrize("kind", [errors.ContentError, Failed, OSError])
def test_what_a_persons_process_fails_with_reaches_its_parent(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    user = pwd.struct_passwd(("ann", "x", person.FIRST, person.FIRST, "", "/home/ann", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _: user)
    for call in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, call, lambda _: None)

    def fail() -> None:
        raise kind("because")

    with pytest.raises(Failed, match="because") as raised:
        person.done_as("ann", fail)
    assert (raised.type is errors.ContentError) == (kind is errors.ContentError)


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
