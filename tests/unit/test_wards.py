"""What the shell node's watcher reads of /proc, and whom it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lab_node import wards

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ANN, MIB = wards.FIRST + 1, 1 << 20
SEGMENTS = """\
       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
         0          3  1600               1048576    77    77      0 20001 20001 20001 20001          0          0 1700000000               1048576                     0
         0          4  1600               1048576    77    77      1 20001 20001 20001 20001          0          0 1700000000               1048576                     0
         0          5  1600               1048576    77    77      0     0     0     0     0          0          0 1700000000               1048576                     0
"""  # noqa: E501  as Linux writes it


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes a process in a /proc of its own."""
    monkeypatch.setattr(wards, "PROC", tmp_path)

    def made(number: int, name: str, owner: int, parent: int, *sizes: int) -> None:
        (tmp_path / str(number)).mkdir()
        kinds = zip(("RssAnon", "RssFile", "RssShmem"), sizes, strict=False)
        memory = "".join(f"{kind}:\t{size} kB\n" for kind, size in kinds)
        text = (
            f"Name:\t{name}\nState:\tS (sleeping)\nPPid:\t{parent}\nUid:\t{owner}\t{owner}\t{owner}\t{owner}\n{memory}"
        )
        (tmp_path / str(number) / "status").write_text(text)

    return made


def test_memory_is_what_belongs_to_a_process_and_no_file(process: Callable[..., None]) -> None:
    process(7, "python3", ANN, 1, 1000, 500, 24)
    process(8, "kthreadd", 0, 0)
    found = wards.processes()
    assert (found[7].owner, found[7].parent, found[7].name, found[7].size) == (ANN, 1, "python3", MIB)
    assert found[8].size == 0


def test_a_process_that_has_just_ended_is_none(process: Callable[..., None], tmp_path: Path) -> None:
    process(7, "python3", ANN, 1)
    (tmp_path / "9").mkdir()
    assert wards.processes().keys() == {7}


@pytest.mark.parametrize("door", sorted(wards.DOORS))
def test_who_has_a_process_below_roots_sshd_is_logged_in(process: Callable[..., None], door: str) -> None:
    process(20, door, 0, 1)
    process(21, door, ANN, 20)
    process(30, "sleep", ANN + 1, 1)
    process(31, door, ANN + 2, 1)  # what calls itself so is no login
    process(40, door, 0, 20)
    assert wards.logged_in(wards.processes()) == {ANN}


def test_memory_without_a_process_counts_for_people_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wards, "PROC", tmp_path)
    (tmp_path / "sysvipc").mkdir()
    (tmp_path / "sysvipc/shm").write_text(SEGMENTS)
    assert wards.segments() == {ANN: {3: MIB}}


def test_the_largest_are_ended_until_the_rest_is_within_the_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[tuple[str, int]] = []
    monkeypatch.setattr(wards, "remove", lambda _, segment: done.append(("segment", segment)))
    monkeypatch.setattr(wards, "end", lambda number: done.append(("process", number)))
    wards.within(100 * MIB, {7: 60 * MIB, 8: 90 * MIB, 9: 10 * MIB}, {3: 20 * MIB}, ANN)
    assert done == [("segment", 3), ("process", 8)], "memory of nobody's first, then the largest"
    assert f"user {ANN}: process 8 with 90 MiB is ended: more than 100 in all" in capsys.readouterr().out
    done.clear()
    wards.within(100 * MIB, {7: 50 * MIB, 8: 50 * MIB}, {}, ANN)
    assert done == []


def test_a_process_is_ended_and_one_that_has_ended_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        wards.end(child.pid)
        assert child.wait(10) == -signal.SIGKILL
    wards.end(child.pid)
