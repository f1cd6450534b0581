"""The archived log: how far it reaches and what of it is removed, also after a clock that was wrong."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from lab_node.backup import archive, command, repository, settings

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0
DAY = 24 * HOUR
LIFE = "life"
LOG = """\
# at 4
#260301 12:00:00 server id 2  end_log_pos 256 CRC32 0x1 \tStart: binlog v 4
#260301 12:00:00 server id 2  end_log_pos 300 CRC32 0x1 \tGtid list [0-1-1000000000009,
# 0-2-2000000000004]
# at 300
#260301 12:00:01 server id 2  end_log_pos 342 CRC32 0x1 \tGTID 0-2-2000000000005 trans
BEGIN
# at 342
#260301 12:00:02 server id 2  end_log_pos 384 CRC32 0x1 \tGTID 0-2-2000000000006 ddl
CREATE TABLE t (id INT)
"""
READER = """#!/bin/sh
for last; do :; done
cat "$last"
"""


@pytest.fixture(autouse=True)
def archive_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of its own, and a mariadb-binlog whose logs are text."""
    program = tmp_path / "bin/mariadb-binlog"
    program.parent.mkdir()
    program.write_text(READER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setattr(archive, "ARCHIVE", tmp_path / "archive")
    monkeypatch.setattr(settings, "ARCHIVE", tmp_path / "archive")
    return tmp_path / "archive"


def _part(name: str, heard: float, position: int, end: int = 0, life: str = LIFE) -> Path:
    """A part whose log ends with the transaction `end`, by default `position`; nothing is copied to it any more."""
    folder = settings.ARCHIVE / life / name
    folder.mkdir(parents=True)
    (folder / "binlog.000001").write_text(f"#260301 12:00:01 server id 2  x \tGTID 0-2-{end or position} trans\n")
    (folder / "heard").write_text(f"{heard} {position}")
    os.utime(folder / "heard", (1, 1))
    return folder


def _names(life: str = LIFE) -> list[str]:
    return sorted(path.name for path in (settings.ARCHIVE / life).iterdir())


def _backup(position: int, at: float = 0.0, life: str = LIFE) -> repository.Snapshot:
    return repository.Snapshot("a", at or time.time(), f"0-2-{position}", life)


def test_the_log_is_in_its_own_order_whatever_the_clock_was() -> None:
    _part("20261226T120000-mysql2", 1000.5, 5)
    _part("20261127T120000-mysql2", 1000.5, 9)
    assert [part.position for part in archive.parts(LIFE)] == [5, 9]


@pytest.mark.parametrize(
    ("parts", "reach"),
    [
        ([(-HOUR, 5), (-60, 9)], -60),
        ([(-60, 5), (-HOUR, 9)], -HOUR),  # the first by a clock that was ahead, and is no more
        ([(30 * DAY, 5), (-HOUR, 9)], -HOUR),
        ([(-HOUR, 5), (30 * DAY, 9)], -HOUR),
        ([(-HOUR, 5), (30 * DAY, 5)], -HOUR),
        ([(-HOUR, 5), (-60, 5)], -60),  # nothing was committed between
        ([(-HOUR, 5), (20, 9)], 0),  # the clock was just set back a little
    ],
)
def test_the_log_reaches_as_far_as_its_last_part_was_heard(parts: list[tuple[float, int]], reach: float) -> None:
    now = time.time()
    for number, (heard, position) in enumerate(parts):
        _part(f"{number}", now + heard, position)
    assert archive.reach(LIFE) == pytest.approx(now + reach, abs=10)
    assert archive.reach(LIFE) <= time.time()


def test_a_log_of_a_moment_that_has_not_been_alone_reaches_nowhere() -> None:
    _part("only", time.time() + 30 * DAY, 5)
    assert archive.reach(LIFE) == archive.reach("another") == 0


def test_a_log_that_no_backup_needs_is_removed_whatever_the_clock_was() -> None:
    now = time.time()
    _part("ahead", now + 30 * DAY, 5)
    _part("needed", now - 400 * DAY, 9)
    _part("last", now - HOUR, 12)
    archive.trim([_backup(7), _backup(11)])
    assert _names() == ["last", "needed"]


def test_a_log_whose_files_go_beyond_what_was_heard_is_kept() -> None:
    _part("one", 1000.0, 5, end=7)
    _part("two", 2000.0, 9)
    archive.trim([_backup(6)])
    assert _names() == ["one", "two"]
    archive.trim([_backup(7)])
    assert _names() == ["two"]


def test_a_log_that_is_copied_now_and_the_last_are_kept() -> None:
    os.utime(_part("behind", 1000.0, 5) / "heard")
    _part("last", 1000.0, 9)
    archive.trim([_backup(20)])
    assert _names() == ["behind", "last"]


def test_a_life_without_a_backup_is_kept_until_a_day_before_the_oldest() -> None:
    now = time.time()
    _part("old", now - 2 * DAY, 5, life="before")
    _part("young", now - HOUR, 5, life="next")
    archive.trim([])
    assert _names("before") == ["old"]
    archive.trim([_backup(1)])
    assert (_names("before"), _names("next")) == ([], ["young"])


def test_a_log_tells_its_transactions_and_what_was_before(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(LOG)
    before, first, second = archive.transactions([log])
    assert before[:2] == (2_000_000_000_004, b"")
    assert first[:2] == (2_000_000_000_005, b"260301 12:00:01")
    assert second[:2] == (2_000_000_000_006, b"260301 12:00:02")
    assert b"".join(line for _, _, lines in (before, first, second) for line in lines).decode() == LOG


def test_a_log_that_ends_before_it_was_heard_to_is_refused() -> None:
    _part("one", 1000.5, 6)
    assert archive.reach(LIFE) == 1000.5
    archive.refuse_missing(LIFE)
    (settings.ARCHIVE / LIFE / "one/heard").write_text("1001.5 7")
    with pytest.raises(command.Failed, match="ends at the transaction 6"):
        archive.refuse_missing(LIFE)
