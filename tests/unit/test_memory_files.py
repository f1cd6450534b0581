"""Memory of files: of a tmpfs, of memfd_create(2), and of files that were removed and are still open."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from lab_node import memory_files, wards

PROC, MIB = Path("/proc"), 1 << 20
ANN = wards.FIRST + 1


@pytest.fixture
def memory() -> Path:
    """A directory of a tmpfs."""
    return Path("/dev/shm")


def test_a_nameless_file_counts_once_however_often_it_is_open() -> None:
    before = memory_files.held(PROC, [os.getpid()]).get(os.getpid(), 0)
    first = os.memfd_create("trial")
    second = os.dup(first)
    try:
        os.write(first, b"x" * MIB)
        assert memory_files.held(PROC, [os.getpid()])[os.getpid()] == before + MIB
    finally:
        os.close(first)
        os.close(second)


def test_a_removed_file_counts_as_long_as_it_is_open(memory: Path) -> None:
    with tempfile.TemporaryFile(dir=memory) as file:
        file.write(b"x" * MIB)
        file.flush()
        assert memory_files.held(PROC, [os.getpid()])[os.getpid()] >= MIB
    assert memory_files.held(PROC, [os.getpid()]).get(os.getpid(), 0) < MIB


def test_files_below_a_place_count_once_for_their_owner_by_no_link(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    for folder in (place, elsewhere):
        (folder / "below").mkdir(parents=True)
        (folder / "below/file").write_bytes(b"x" * MIB)
    (place / "link").symlink_to(elsewhere)
    os.link(place / "below/file", place / "below/other")
    listed = {path: (owner, size) for path, owner, size in memory_files.files([str(place)])}
    sizes = [size for path, (_, size) in listed.items() if path != str(place / "link")]
    assert len(sizes) == 1
    assert sizes[0] == pytest.approx(MIB, rel=0.1)
    assert {owner for owner, _ in listed.values()} == {os.getuid()}


def test_places_are_those_that_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    rows = ("tmpfs /tmp tmpfs rw,nosuid 0 0", "tmpfs /sys/firmware tmpfs rw 0 0", "tmpfs /ro tmpfs ro 0 0")
    (tmp_path / "self/mounts").write_text("\n".join((*rows, "storage1:/home /home fuse.glusterfs rw 0 0", "")))
    assert memory_files.places(tmp_path) == ["/tmp"]


def test_a_file_system_without_much_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_files, "places", lambda _: ["/tmp"])
    monkeypatch.setattr(memory_files, "used", lambda _: 50 * MIB)
    monkeypatch.setattr(memory_files, "files", lambda _: [("/tmp/a", ANN, 50 * MIB), ("/tmp/b", 0, MIB)])
    assert wards.written(100 * MIB, {ANN: {7: 50 * MIB}}, {}) == {}
    assert wards.written(100 * MIB, {ANN: {7: 40 * MIB}}, {ANN: {3: 11 * MIB}}) == {ANN: {"/tmp/a": 50 * MIB}}


def test_a_file_goes_before_the_process(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    done: list[object] = []
    monkeypatch.setattr(wards, "remove", lambda _, loose: done.append(loose))
    wards.within(100 * MIB, {7: 60 * MIB}, {"/tmp/a": 30 * MIB, 3: 20 * MIB}, ANN)
    assert done == ["/tmp/a"]
    assert f"user {ANN}: file '/tmp/a' with 30 MiB is ended: more than 100 in all" in capsys.readouterr().out
