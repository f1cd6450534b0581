"""What of backups needs no daemon: when one is due, what is said of the last, what a dump and a mark tell."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.backends.memory import MemoryBackend
from lab.errors import SpecError
from lab.services import backup
from lab.topology import parse, units
from lab_node.backup import command, databases, definitions, dumps, files, mark, repository, schedule
from lab_node.backup.backup import State

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0
DAY = 24 * HOUR
DUMP = """CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mail`;

USE `mail`;

--
-- Table structure for table `accounts`
--
CREATE TABLE `accounts` (
  `address` varchar(190) NOT NULL
) ENGINE=InnoDB;
INSERT INTO `accounts` VALUES
('ann; and\\n-- bob'),
('carl');
CREATE TABLE `empty` (
  `id` int(11)
);
-- Dump completed
"""


@pytest.mark.parametrize(
    ("known", "now", "due"),
    [
        (State(began=0), HOUR - 1, False),
        (State(began=0), HOUR + 1, True),
        (State(began=0, good=HOUR, tried=HOUR), 1.5 * HOUR, False),
        (State(began=0, good=HOUR, tried=HOUR), 2 * HOUR + 1, True),
        (State(began=0, good=HOUR, tried=2 * HOUR, because="full"), 2 * HOUR + 30, False),
        (State(began=0, good=HOUR, tried=2 * HOUR, because="full"), 2 * HOUR + 61, True),
        # A clock that was ahead by a month when that was written.
        (State(began=0, good=30 * DAY, tried=30 * DAY), 2 * HOUR, True),
        (State(began=0, good=HOUR, tried=30 * DAY), 2 * HOUR, True),
        (State(began=30 * DAY), 2 * HOUR, True),
        (State(began=0, good=HOUR, tried=30 * DAY, because="full"), 2 * HOUR, True),
        # One that was set back by a little is nobody's concern.
        (State(began=0, good=HOUR + 5, tried=HOUR + 5), HOUR, False),
    ],
)
def test_when_a_backup_is_due(known: State, now: float, due: bool) -> None:  # noqa: FBT001
    assert schedule.due(known, HOUR, now) is due


@pytest.mark.parametrize(
    ("known", "now", "said"),
    [
        (State(began=0), HOUR, ""),
        (State(began=0), 2 * HOUR, "no backup was made yet"),
        (State(began=0, good=HOUR, tried=HOUR), 2 * HOUR, ""),
        (State(began=0, good=HOUR, tried=HOUR), 3 * HOUR, "one is due every 3600 s"),
        (State(began=0, good=HOUR, tried=2 * HOUR, because="no room"), 2 * HOUR, "failed at"),
        (State(began=0, good=30 * DAY, tried=30 * DAY), 2 * HOUR, "the last backup was at 1970-01-31"),
        (State(began=30 * DAY), 2 * HOUR, "this node's first start was at 1970-01-31"),
    ],
)
def test_what_is_said_of_the_last_backup(known: State, now: float, said: str) -> None:
    found = schedule.because(known, HOUR, now)
    assert said in found
    assert bool(said) == bool(found)


def test_a_dump_tells_its_tables(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text(DUMP)
    tables = dumps.tables(dump)
    assert {name: of["rows"] for name, of in tables.items()} == {"mail.accounts": 2, "mail.empty": 0}
    assert databases.number("0-2-2000000000005") == 2_000_000_000_005
    assert databases.number("") == 0
    dump.write_text(DUMP.replace("carl", "karl"))
    assert dumps.tables(dump)["mail.accounts"] != tables["mail.accounts"]
    assert dumps.tables(dump)["mail.empty"] == tables["mail.empty"]


def test_a_mark_tells_what_is_other_than_it_was(tmp_path: Path) -> None:
    for name, text in (("one", "1"), ("two", "2")):
        (tmp_path / name).write_text(text)
    (tmp_path / "link").symlink_to("one")
    made = mark.Mark({"mail.accounts": {"rows": 1, "text": "a"}}, files={"www": files.figures(tmp_path)})
    assert made.counts == {"tables": 1, "rows": 1, "definitions": 0, "files of www": 3}
    assert made.missed_by(made) == []
    (tmp_path / "two").write_text("3")
    (tmp_path / "one").unlink()
    found = mark.Mark({"mail.accounts": {"rows": 2, "text": "b"}}, files={"www": files.figures(tmp_path)})
    assert made.missed_by(found) == ["mail.accounts", "one", "two"]
    assert made.part([], databases=True).missed_by(found) == ["mail.accounts"]


VERSIONED = """USE `odd ``base`;
CREATE TABLE `a ``b` (
  `id` int(11)
) WITH SYSTEM VERSIONING;
INSERT INTO `a ``b` (`id`, `v(``)`, row_start, row_end) VALUES (1,'USE `x`','2026-01-01','2026-01-02'),
(2,'(','2026-01-02','2038-01-19');
"""


def test_a_dump_tells_the_history_of_a_table(tmp_path: Path) -> None:
    dump = tmp_path / "dump.sql"
    dump.write_text(VERSIONED)
    tables = dumps.tables(dump)
    assert {name: of["rows"] for name, of in tables.items()} == {"odd `base.a `b": 2}
    dump.write_text(VERSIONED.replace("(1,", "(7,"))
    assert dumps.tables(dump) != tables, "the first row stands on the line of its statement"
    assert dumps.place_of(dump, 6) == "odd `base.a `b"


def test_a_backup_of_a_moment_that_has_not_been_is_in_nobodys_place(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [
        repository.Snapshot(name, at, "", "") for name, at in (("old", HOUR), ("new", 2 * HOUR), ("ahead", 30 * DAY))
    ]
    assert repository.newest(known, 3 * HOUR).id == "new"
    assert repository.newest(known[2:], 3 * HOUR).id == "ahead"
    assert [one.id for one in repository.ahead(known, 3 * HOUR)] == ["ahead"]
    told: list[str] = []
    monkeypatch.setattr(repository, "_restic", lambda _, *words: told.extend(words))
    repository.forget({"last": 3, "daily": 7, "weekly": 0}, 1)
    assert [word for word in told if word.startswith("--keep")] == ["--keep-last=4", "--keep-daily=8"]


@pytest.fixture
def volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in a volume's place."""
    if shutil.which("rsync") is None:
        pytest.skip("needs rsync")
    monkeypatch.setattr(files, "VOLUMES", tmp_path)
    monkeypatch.setattr(files, "mounted", lambda _: None)
    made = tmp_path / "home"
    made.mkdir()
    return made


def _place(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (1_700_000_000, 1_700_000_000))


def test_a_file_is_copied_and_put_back_by_its_content(volume: Path, tmp_path: Path) -> None:
    staging = tmp_path / "staging"
    _place(volume / "same", "AAAA")
    files.collect("home", staging)
    _place(volume / "same", "BBBB")
    told, moving = files.collect("home", staging)
    assert ((staging / "same").read_text(), moving) == ("BBBB", [])
    _place(volume / "same", "CCCC")
    (volume / "since").write_text("new")
    assert files.put_back("home", staging, told) == []
    assert {path.name: path.read_text() for path in volume.iterdir()} == {"same": "BBBB"}


def test_a_file_that_is_always_written_to_is_named(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = files._same  # noqa: SLF001
    _place(volume / "quiet", "A")
    _place(volume / "busy", "0")

    def and_somebody_writes(*args: Any, **more: Any) -> None:
        made(*args, **more)
        (volume / "busy").write_text((volume / "busy").read_text() + "+")

    monkeypatch.setattr(files, "_same", and_somebody_writes)
    told, moving = files.collect("home", tmp_path / "staging")
    assert moving == ["busy"]
    assert mark.differing(told, files.figures(tmp_path / "staging")) == []


def test_what_does_not_come_back_is_no_success(volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _place(volume / "kept", "A")
    told, _ = files.collect("home", tmp_path / "staging")
    monkeypatch.setattr(files, "_same", lambda *_, **__: None)
    _place(volume / "kept", "B")
    with pytest.raises(command.Failed, match=r"is not what it was: kept"):
        files.put_back("home", tmp_path / "staging", told)


def test_a_link_that_is_a_file_of_its_own_now_is_other_than_it_was(tmp_path: Path) -> None:
    figures, differing = files.figures, mark.differing
    _place(tmp_path / "one", "A")
    (tmp_path / "other").hardlink_to(tmp_path / "one")
    linked = figures(tmp_path)
    (tmp_path / "other").unlink()
    _place(tmp_path / "other", "A")
    apart = figures(tmp_path)
    assert differing(linked, apart) == differing(apart, linked) == ["one", "other"]


class Answers:
    """A session with one view and nothing else: numbers come as text, as the session gives them."""

    def rows(self, statement: str) -> list[list[str]]:
        return [["shop.v", "digest", "0"]] if "information_schema.views" in statement else []


def test_what_has_no_end_lasts() -> None:
    assert definitions.lasting(definitions.read(cast("Any", Answers())), HOUR) == {"view shop.v": {"digest": "digest"}}


def test_an_event_whose_time_is_over_is_gone_or_disabled() -> None:
    event: dict[str, Any] = {"digest": "d", "until": HOUR, "state": "ENABLED", "preserved": False}
    made = {
        "event stays": {**event, "preserved": True},
        "event goes": event,
        "view seen": {"digest": "v"},
    }
    lasting = definitions.lasting
    assert lasting(made, HOUR) == made
    assert lasting(made, HOUR + 1) == {
        "event stays": {**event, "preserved": True, "state": "DISABLED"},
        "view seen": {"digest": "v"},
    }


def test_a_mark_of_version_1_is_read(tmp_path: Path) -> None:
    (tmp_path / "mark.json").write_text(
        '{"tables": {"a.t": [3, "x"]}, "files": {"home": {"f": [1, "-rw-r--r--", 0, 0, "d"]}}}'
    )
    old = mark.read(tmp_path)
    entry = {"size": 1, "mode": "-rw-r--r--", "uid": 0, "gid": 0, "digest": "d", "mtime": 7}
    found = mark.Mark(
        {"a.t": {"rows": 3, "text": "x", "checksum": "1"}}, {"view a.v": {}}, {"home": {".": {}, "f": entry}}
    )
    assert old.missed_by(found) == []
    assert old.missed_by(mark.Mark()) == ["a.t", "f"]


def test_times_of_restic_are_read() -> None:
    read = repository._seconds  # noqa: SLF001
    assert read("2026-03-01T12:00:00.123456789Z") == read("2026-03-01T13:00:00+01:00")


def test_a_moment_as_a_person_writes_it() -> None:
    now = datetime(2026, 3, 1, 18, 0).astimezone().timestamp()
    assert units.moment("14:05:30", now) == datetime(2026, 3, 1, 14, 5, 30).astimezone().timestamp()
    assert units.moment("2026-02-28T23:00", now) == datetime(2026, 2, 28, 23, 0).astimezone().timestamp()
    assert units.moment("2026-02-28T23:00Z", now) == units.moment("2026-02-28T22:00-01:00", now)
    assert units.moment("1700000000.5", now) == 1_700_000_000.5
    with pytest.raises(SpecError, match="no moment"):
        units.moment("yesterday", now)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web:\nbackup:\n", "nothing to keep"),
        ("storage:\nbackup: {every: often}\n", "duration"),
        ("storage:\nbackup: {count: 2}\n", "backup.count"),
    ],
)
def test_a_backup_that_can_not_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse(text)
    assert said in str(refused.value)


def test_without_a_backup_node_that_is_said() -> None:
    with pytest.raises(SpecError, match="there is no cluster"):
        backup.backups(MemoryBackend("www"))


def test_a_site_that_is_restored_alone_is_compared_by_the_paths_below_it() -> None:
    entry: dict[str, Any] = {"mode": "-", "link": ""}
    there = {"sites/a": {**entry, "mtime": 1}, "sites/a/x": entry, "sites/ab/y": entry, "uploads": entry}
    assert files.below("sites/a", there) == {".": entry, "x": entry}
