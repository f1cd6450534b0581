"""Releases of sites: how a folder is packed, and how nodes get what they lack."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import tarfile
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import Result
from lab.backends.memory import MemoryBackend
from lab.errors import SpecError
from lab.services import sites
from lab.services.packing import packed
from lab.services.syncing import Sync
from lab.topology import parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MEBI = 1 << 20


def _folder(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("secret", encoding="utf-8")
    (root / "index.php").write_text("<?php", encoding="utf-8")
    (root / "sub" / "link").symlink_to("../index.php")
    return root


def test_the_same_files_are_the_same_archive(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    one, two = packed(folder), packed(folder)
    assert [*one.archive.parts()] == [*two.archive.parts()]
    assert one.digest == two.digest
    assert one.files == 1
    with tarfile.open(fileobj=io.BytesIO(b"".join(one.archive.parts()))) as tar:
        assert sorted(tar.getnames()) == ["index.php", "sub", "sub/link"]
        assert {entry.uid for entry in tar} == {0}
    (folder / "index.php").write_text("<?php echo 1;", encoding="utf-8")
    assert packed(folder).digest != one.digest


@pytest.mark.parametrize(
    ("target", "said"), [("/etc/passwd", "leads out of the folder"), ("../../x", "leads out of the folder")]
)
def test_a_link_that_leads_out_is_refused(tmp_path: Path, target: str, said: str) -> None:
    folder = _folder(tmp_path / "code")
    (folder / "sub" / "bad").symlink_to(target)
    with pytest.raises(SpecError, match=said):
        packed(folder)


def test_what_is_no_folder_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="was not found"):
        packed(tmp_path / "none")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SpecError, match="is a file"):
        packed(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="has no file"):
        packed(tmp_path / "empty")


def test_a_folder_with_a_socket_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(folder):
        listening.bind("php.sock")
        with pytest.raises(SpecError, match=r"php\.sock is neither a file nor a folder nor a link"):
            packed(folder)


def test_a_folder_that_can_not_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, scan = _folder(tmp_path / "code"), os.scandir

    def refused(path: Any) -> Any:  # noqa: ANN401  as os.scandir
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(SpecError, match="sub can't be read: Permission denied"):
        packed(folder)


class _Nodes(MemoryBackend):
    """Web nodes with stores of their own.

    Attributes:
        stores: the releases of each, and since when which one is served.
        bases: of revisions.
        sent: the files that were put into nodes, by their paths.
    """

    stores: dict[str, list[str]]
    since: dict[str, tuple[str, str]]
    bases: dict[str, str]
    sent: dict[str, bytes]

    def get(self, node: str, path: str) -> bytes | None:
        if path.endswith("sites.json"):
            return b'{"sites": {"blog": {"writable": ["data"]}}, "mount": ""}'
        if path.endswith(".base"):
            base = self.bases.get(path.rpartition("/")[2].removesuffix(".base"))
            return json.dumps({"base": base, "gone": []}).encode() if base else None
        return b"archive" if path.endswith(".tar.gz") else super().get(node, path)

    def put(self, node: str, files: Any) -> None:  # noqa: ANN401  as the protocol
        self.sent |= {f"{node}:{path}": content for path, (content, _) in files.items()}

    def run(self, node: str, argv: Sequence[str], **_: Any) -> Result:
        if argv[1] in ("store", "revise"):
            told = self.sent.get(f"{node}:{argv[4]}/base")
            if told:
                base = json.loads(told)["base"]
                if base not in self.stores[node]:
                    return Result(node, tuple(argv), 1, "", f"the store has no release {base} of blog")
                self.bases[argv[3]] = base
            self.stores[node].append(argv[3])
        if argv[1] in ("switch", "revise"):
            self.since[node] = (argv[-1], argv[3])
        rows = [
            {"release": one, "bytes": 1, "current": one == self.since[node][1], "base": self.bases.get(one, "")}
            for one in self.stores[node]
        ]
        said = json.dumps({"releases": rows, "switched": self.since[node][0]}) if argv[1] == "tell" else argv[3:4]
        return Result(node, tuple(argv), 0, said if isinstance(said, str) else "".join(said), "")


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> _Nodes:
    """Two web nodes; the second was down while the first got its second release."""
    made = _Nodes("golden")
    made.stores = {"web1": ["1-a", "2-b"], "web2": ["1-a"]}
    made.since = {"web1": ("", "2-b"), "web2": ("", "1-a")}
    made.bases, made.sent = {}, {}
    monkeypatch.setattr(
        sites, "look", lambda _: sites.Sites(("web1", "web2"), ("web1", "web2"), ("blog",), (), {"blog": ("data",)})
    )
    return made


TWO = "web: {count: 2}\nsites: {blog: {}}\n"


def test_a_node_that_was_down_gets_the_release_that_it_lacks(nodes: _Nodes, tmp_path: Path) -> None:
    sites.ensure(nodes, parse(TWO), {})
    assert nodes.stores == {"web1": ["1-a", "2-b"], "web2": ["1-a", "2-b"]}
    folder = _folder(tmp_path / "code")
    digest = packed(folder).digest
    nodes.stores = {"web1": [f"3-{digest}"], "web2": ["1-a"]}
    nodes.since = {"web1": ("", f"3-{digest}"), "web2": ("", "1-a")}
    assert sites.deploy(nodes, "blog", folder).changed
    assert not sites.deploy(nodes, "blog", folder).changed
    assert nodes.stores["web2"][-1].endswith(digest)


def test_a_rollback_lasts_when_a_node_that_was_down_returns(nodes: _Nodes) -> None:
    nodes.stores = {"web1": ["1-a", "2-b"], "web2": ["1-a", "2-b"]}
    nodes.since = {"web1": ("9", "1-a"), "web2": ("8", "2-b")}
    sites.ensure(nodes, parse(TWO), {})
    assert nodes.since == {"web1": ("9", "1-a"), "web2": ("9", "1-a")}


def test_a_revision_reaches_a_node_that_was_down_after_its_base(nodes: _Nodes) -> None:
    nodes.stores["web1"].append("3-c")
    nodes.since["web1"] = ("9", "3-c")
    nodes.bases["3-c"] = "2-b"
    sites.ensure(nodes, parse(TWO), {})
    assert nodes.stores["web2"] == ["1-a", "2-b", "3-c"]
    assert nodes.since["web2"] == ("9", "3-c")
    assert json.loads(nodes.sent["web2:/var/lib/sites/.inbox-3-c/base"]) == {"base": "2-b", "gone": []}


def test_what_changes_in_a_folder_is_a_revision_of_what_was_there_first(nodes: _Nodes, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    (folder / "data").mkdir()
    (folder / "data" / "upload").write_text("the site's own", encoding="utf-8")
    sync = Sync(nodes, "blog", folder)
    first = sync.exchange()
    assert first
    assert sync.exchange() is None
    whole = b"".join(part for path, part in nodes.sent.items() if path.startswith("web1:") and first.release in path)
    assert _names(whole) == ["index.php", "sub", "sub/link"]
    (folder / "data" / "upload").write_text("changed", encoding="utf-8")
    assert sync.exchange() is None, "what the site writes is left alone"
    (folder / "sub" / "link").unlink()
    (folder / "index.php").rename(folder / "home.php")
    (folder / "sub" / "link").mkdir()
    done = sync.exchange()
    assert done
    assert (done.changed, done.gone) == (2, 2)
    inbox = f"web2:/var/lib/sites/.inbox-{done.release}"
    assert json.loads(nodes.sent[f"{inbox}/base"]) == {"base": first.release, "gone": ["index.php", "sub/link"]}
    assert _names(nodes.sent[f"{inbox}/part-0000"]) == ["home.php", "sub/link"]
    assert nodes.since["web1"][1] == nodes.since["web2"][1] == done.release
    del nodes.stores["web1"][nodes.stores["web1"].index(first.release)]
    (folder / "home.php").write_text("<?php echo 1;", encoding="utf-8")
    again = sync.exchange()
    assert again
    assert again.release == sync.base, "others' releases have replaced the base"


def test_a_link_that_leads_elsewhere_now_is_removed_first(nodes: _Nodes, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    sync = Sync(nodes, "blog", folder)
    sync.exchange()
    for target in ("../other.php", "../another.php"):
        (folder / "sub" / "link").unlink()
        (folder / "sub" / "link").symlink_to(target)
        done = sync.exchange()
        assert done
        inbox = f"web2:/var/lib/sites/.inbox-{done.release}"
        assert json.loads(nodes.sent[f"{inbox}/base"])["gone"] == ["sub/link"]
        assert _names(nodes.sent[f"{inbox}/part-0000"]) == ["sub/link"]


def _names(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return sorted(tar.getnames())


def test_a_folder_that_has_gone_ends_a_sync(nodes: _Nodes, tmp_path: Path) -> None:
    folder = _folder(tmp_path / "code")
    sync = Sync(nodes, "blog", folder)
    sync.exchange()
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(SpecError, match="was not found"):
        sync.exchange()
    sync.site = "blgo"
    with pytest.raises(SpecError, match="was not found"):
        sync.exchange()


def test_a_large_folder_is_packed_and_sent_with_little_memory(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    with (tmp_path / "code" / "film").open("wb") as film:
        for _ in range(64):
            film.write(os.urandom(MEBI))
    tracemalloc.start()
    try:
        made = packed(tmp_path / "code")
        sent = sum(len(part) for part in made.archive.parts())
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sent == made.archive.size > 60 * MEBI
    assert most < 24 * MEBI
