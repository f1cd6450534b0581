"""What a mail node does in mailboxes on the shared filesystem: arrivals are moved, locks of dead nodes removed."""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from lab_node import arrivals, locks

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    accounts = tmp_path / "accounts"
    for program in (arrivals, locks):
        monkeypatch.setattr(program, "MAILBOXES", accounts)
    box = accounts / "www.test/ann/Maildir"
    for folder in ("new", "cur", ".Junk/new", ".Junk/cur"):
        (box / folder).mkdir(parents=True)
    return box


def _arrive(folder: Path, count: int, first: int = 0) -> set[str]:
    names = {f"{number}.M1P1.mail1" for number in range(first, first + count)}
    for name in names:
        (folder / name).write_text(name)
    return names


def test_few_messages_are_left_to_dovecot(mailbox: Path) -> None:
    names = _arrive(mailbox / "new", arrivals.FEW)
    arrivals.move_all(mailbox)
    assert {path.name for path in (mailbox / "new").iterdir()} == names


def test_many_are_moved_to_the_cur_beside_them(mailbox: Path) -> None:
    names = _arrive(mailbox / "new", arrivals.FEW)
    junk = _arrive(mailbox / ".Junk/new", 1, first=1000)
    arrivals.move_all(mailbox)
    assert {path.name for path in (mailbox / "cur").iterdir()} == {f"{name}:2," for name in names}
    assert {path.name for path in (mailbox / ".Junk/cur").iterdir()} == {f"{name}:2," for name in junk}
    assert not [*(mailbox / "new").iterdir(), *(mailbox / ".Junk/new").iterdir()]


def test_who_was_quicker_has_moved_it(mailbox: Path) -> None:
    arrivals.move(mailbox / "new/gone")
    assert not list((mailbox / "cur").iterdir())


def test_a_mailbox_is_looked_into_when_it_was_written_to(mailbox: Path) -> None:
    seen: dict[Path, dict[Path, int]] = {}
    _arrive(mailbox / "new", arrivals.FEW + 1)
    arrivals.look(seen)
    assert len(list((mailbox / "cur").iterdir())) == arrivals.FEW + 1
    arrivals.look(seen)  # after its own moves, once
    before = dict(seen)
    _arrive(mailbox / "new", arrivals.FEW + 1, first=100)
    arrivals.look(seen)
    assert seen != before
    assert len(list((mailbox / "cur").iterdir())) == 2 * (arrivals.FEW + 1)


def test_a_mailbox_that_can_not_be_read_holds_no_other_up(mailbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mailbox.parents[1] / "aaa/Maildir").mkdir(parents=True)
    _arrive(mailbox / "new", arrivals.FEW + 1)
    arrivals.look({})
    assert "aaa/Maildir: new messages can't be moved" in capsys.readouterr().out
    assert len(list((mailbox / "cur").iterdir())) == arrivals.FEW + 1


def _lock(path: Path, owner: str, age: float) -> Path:
    path.write_text(owner)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_locks_of_a_dead_node_are_removed_and_of_no_other(mailbox: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dead = [_lock(mailbox / name, "17:mail2", 1) for name in ("dovecot-uidlist.lock", ".Junk/dovecot-uidlist.lock")]
    others = [_lock(mailbox / "a.lock", "17:mail1", 99), _lock(mailbox / "b.lock", "", locks.SIGNED_SECONDS / 2)]
    nobodys = _lock(mailbox / "c.lock", "", locks.SIGNED_SECONDS + 1)
    locks.remove("mail2")
    assert not any(path.exists() for path in [*dead, nobodys])
    assert all(path.exists() for path in others)
    said = capsys.readouterr().out
    assert said.count("the lock of mail2, which is dead, is removed") == 2
    assert "the lock of nobody" in said


def test_after_a_boot_only_older_locks_are_removed(mailbox: Path) -> None:
    old, new = _lock(mailbox / "a.lock", "1:mail1", 60), _lock(mailbox / "b.lock", "1:mail1", 0)
    locks.remove("mail1", time.time() - 30)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_node_lives_that_accepts_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        monkeypatch.setattr(locks, "STATUS_PORT", door.getsockname()[1])
        assert locks.answers("127.0.0.1")
    assert not locks.answers("127.0.0.1")


def test_a_mount_that_does_not_reach_storage_shows_nothing(mailbox: Path, tmp_path: Path) -> None:
    assert mailbox.exists()
    assert locks.there()
    (tmp_path / "accounts").rename(tmp_path.parent / f"{tmp_path.name}-away")
    assert not locks.there()
