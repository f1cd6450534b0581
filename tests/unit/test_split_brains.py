"""Files whose copies contradict each other: what is listed of them, and which of the ways one of them is mended."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
import typer

from lab.backends.base import Capabilities
from lab.backends.memory import MemoryBackend
from lab.cli import volume
from lab.errors import BackendError, LabError, SpecError
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.services import live, unlike
from lab.topology import parse
from lab_node.volumes import aside, bricks
from lab_node.volumes.unlike import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lab.backends.base import Result

NODES = ("storage1", "storage2", "storage3")
FILE, FOLDER = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755
GFID = "<gfid:aea2349f-e45c-58dc-878c-a0c479952c2d>"
HANDLE = "/.glusterfs/ae/a2/aea2349f-e45c-58dc-878c-a0c479952c2d"
Copies = dict[str, dict[str, tuple[int, int, int]]]


class Apart(MemoryBackend):
    """Three storage nodes with such copies: by path and node the size, time and mode."""

    copies: Copies

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        done = super().run(node, argv, seconds=seconds)
        if argv[0] == "cat":
            return replace(done, stdout=json.dumps({"www": {"brick": True, "heal": 1, "unlike": [*self.copies]}}))
        if argv[0] == "stat":
            paths = [path.removeprefix("/bricks/www") for path in argv[4:]]
            copies = {HANDLE if path == GFID else path: of for path, of in self.copies.items()}
            rows = [(copies[path][node], path) for path in paths if node in copies[path]]
            text = "".join(f"{size} {when} {mode:x} /bricks/www{path}\0" for (size, when, mode), path in rows)
            return replace(done, stdout=text)
        if argv[-3:-2] == ["aside"]:
            first = next(iter(self.copies[argv[-1]].values()))
            self.copies[argv[-1]][node] = first  # healed at once, from the first node's
        return done


@pytest.fixture
def backend() -> Apart:
    made = Apart("www", Capabilities("memory", frozenset({"fuse"})))
    up(parse("storage: {count: 3}\n"), made, Silent())
    made.done.clear()
    return made


def _on_all(mode: int = FILE) -> dict[str, tuple[int, int, int]]:
    return {node: (number, 1700000000 - number, mode) for number, node in enumerate(NODES)}


def test_copies_are_listed_by_node_whatever_the_name(backend: Apart) -> None:
    backend.copies = {"/a b\nc": _on_all(), "/folder": _on_all(FOLDER)}
    copies = unlike.split_brains(backend, "www")
    assert [(one.node, one.size) for one in copies["/a b\nc"]] == list(zip(NODES, range(3), strict=True))
    assert str(copies["/a b\nc"][1]) == "1 bytes of 2023-11-14 22:13:19 UTC, -rw-r--r--"
    assert str(copies["/folder"][0]) == "directory of 2023-11-14 22:13:20 UTC, drwxr-xr-x"


def test_a_file_that_gluster_calls_by_its_gfid_is_mended(backend: Apart) -> None:
    backend.copies = {GFID: _on_all()}
    words: list[Sequence[str]] = []
    run = backend.run

    def listen(node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        words.append(argv)
        return run(node, argv, seconds=seconds)

    backend.run = listen  # type: ignore[method-assign]
    assert unlike.mend(backend, "www", GFID, "storage2").node == "storage2"
    assert words[-1][-2:] == ["storage2:/bricks/www", GFID.strip("<>")]
    assert [argv[-2:] for argv in words if argv[0] == "sh"] == 2 * [
        [f"/bricks/www{HANDLE}", f"{unlike.KEPT}/www/{GFID}"]
    ]


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_a_former_copy_is_kept_of_a_directory_without_what_is_in_it(tmp_path: Path, kind: str) -> None:
    source, kept = tmp_path / "a b", tmp_path / "kept/deep/a b"
    if kind == "directory":
        source.mkdir(0o750)
        (source / "inside").touch()
    elif kind == "file":
        source.write_text("x")
    else:
        source.symlink_to("nowhere")
    for _ in range(2):
        subprocess.run(["sh", "-c", unlike.KEEP, "sh", source, kept], check=True)
    assert kept.lstat().st_mode == source.lstat().st_mode
    assert kept.lstat().st_mtime == source.lstat().st_mtime
    assert kind != "directory" or not [*kept.iterdir()]


def test_a_path_that_no_node_has_is_refused_and_the_others_are_mended(
    backend: Apart, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = f"/<gfid:{uuid4()}>/name"
    backend.copies = {gone: {}, "/file": _on_all()}
    with pytest.raises(SpecError, match="no node has a copy by that path"):
        volume.mend(backend, "www", copy="latest")
    assert "/file: took the copy of storage1" in capsys.readouterr().out
    assert [line for line in backend.done if "gluster" in line] == ["run storage1 gluster"]


def test_all_that_is_not_mended_is_told(backend: Apart) -> None:
    backend.copies = {"/<gfid:1>/a": {}, "/<gfid:2>/b": {}}
    with pytest.raises(BackendError) as failed:
        volume.mend(backend, "www", copy="latest")
    assert all(path in str(failed.value) for path in backend.copies)


def test_a_path_that_no_node_has_is_listed(backend: Apart, capsys: pytest.CaptureFixture[str]) -> None:
    backend.copies = {"/<gfid:1>/a": {}}
    with pytest.raises(typer.Exit):
        volume.mend(backend, "www")
    assert "/<gfid:1>/a" in capsys.readouterr().out


def test_a_name_of_two_kinds_is_set_aside_on_the_other_nodes(backend: Apart) -> None:
    backend.copies = {"/name": {**_on_all(), "storage2": (9, 5, FOLDER)}}
    assert unlike.mend(backend, "www", "/name", "storage1").node == "storage1"
    programs = [line for line in backend.done if not line.endswith((" cat", " stat"))]
    assert sorted(programs) == ["run storage1 gluster", "run storage2 run", "run storage3 run"]


def test_a_name_that_is_not_healed_in_time_is_told(backend: Apart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unlike, "HEAL_SECONDS", 0.0)
    backend.copies = {"/name": {"storage1": (0, 1, FILE), "storage2": (9, 5, FOLDER)}}
    with pytest.raises(LabError, match="/name to be healed on storage2"):
        unlike.mend(backend, "www", "/name", "storage1")


def test_the_page_counts_them(backend: Apart) -> None:
    backend.copies = {"/a": _on_all(), "/b": _on_all()}
    badges = live._heals(backend)  # noqa: SLF001  the question of `live.QUESTIONS`
    assert {badge.text for badge in badges["storage1"]} == {"1 to heal", "2 split-brain"}


# --- in the node


@pytest.fixture
def brick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A brick, with an attribute that not only root may set for the gfid."""
    monkeypatch.setattr(bricks, "GFID", "user.gfid")
    monkeypatch.setattr(aside, "BRICKS", tmp_path)
    monkeypatch.setattr(aside, "KEPT", tmp_path / ".mended")
    made = tmp_path / "www"
    (made / "up").mkdir(parents=True)
    return made


def _handle(brick: Path, gfid: UUID) -> Path:
    path = bricks.handle(brick, str(gfid))
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _file(brick: Path, path: str) -> UUID:
    (brick / path).write_text(path)
    gfid = uuid4()
    os.setxattr(brick / path, bricks.GFID, gfid.bytes)
    _handle(brick, gfid).hardlink_to(brick / path)
    return gfid


def _folder(brick: Path, path: str) -> UUID:
    (brick / path).mkdir()
    gfid = uuid4()
    os.setxattr(brick / path, bricks.GFID, gfid.bytes)
    _handle(brick, gfid).symlink_to(brick / path)
    return gfid


def test_what_is_set_aside_leaves_no_link_by_gfid(brick: Path) -> None:
    gfids = [_folder(brick, "up/name"), _folder(brick, "up/name/deep"), _file(brick, "up/name/deep/file")]
    other = _file(brick, "up/other")
    aside.set_aside("www", "/up/name")
    assert [path.name for path in (brick / "up").iterdir()] == ["other"]
    assert not any(os.path.lexists(_handle(brick, gfid)) for gfid in gfids)
    assert _handle(brick, other).exists()
    assert (aside.KEPT / "www/up/name/deep/file").read_text() == "up/name/deep/file"


def test_a_file_with_another_name_keeps_its_link_by_gfid(brick: Path) -> None:
    gfid = _file(brick, "up/name")
    (brick / "other").hardlink_to(brick / "up/name")
    aside.set_aside("www", "/up/name")
    assert _handle(brick, gfid).exists()


@pytest.mark.parametrize("make", [_file, _folder])
def test_what_was_set_aside_before_is_replaced(brick: Path, make: Callable[[Path, str], UUID]) -> None:
    for one in (_folder, make):
        one(brick, "up/name")
        aside.set_aside("www", "/up/name")
    assert (aside.KEPT / "www/up/name").is_dir() is (make is _folder)


def test_a_directory_in_which_a_name_differs_is_not_listed_beside_it() -> None:
    """Its mending would mend no file, and a status names the first path alone."""
    assert listed(["/up/of/name"], ["/up/of", "/up", "/", "/other", GFID]) == ["/other", "/up/of/name", GFID]
    assert listed(["/up"], ["/up/of/name"]) == ["/up", "/up/of/name"], (
        "a directory that is another one is mended itself"
    )
    assert listed([], ["/up/of", "/up/of/name"]) == ["/up/of", "/up/of/name"]
