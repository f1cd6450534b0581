"""What a copy costs its donor: one mariadb-backup at a time, ended where it holds up commits or nobody takes it.

A script is in the place of mariadb-backup; sockets and processes are real.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab_node.keeper import child, donation, doors
from tests.unit.mysql_tls import HOST, Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow("a copy is waited for in its own times")

PATIENCE = 0.4
AWAITED_SECONDS = 20.0
PIECES = "head -c 300000 /dev/zero"
LOCKED = "echo '[00] Starting BACKUP STAGE BLOCK_COMMIT' >&2"
UNLOCKED = "echo '[00] Starting BACKUP STAGE END' >&2"
ENDLESS = "exec sleep 60"


class Donor:
    """A node whose mariadb-backup is a script."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self._program, self._began = folder / "mariadb-backup", folder / "began"
        self._authority = authority
        self.door = doors.Listener(
            0,
            doors.handler(self._answer, "POST", stalled=donation.HELD * PATIENCE),
            {"mysql2": HOST},
        )
        threading.Thread(target=self.door.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def _answer(self, path: str, _: dict[str, Any]) -> doors.Answer:
        return 200, donation.donated(PATIENCE, galera=path == "/galera")

    def does(self, *commands: str) -> None:
        """What mariadb-backup does from now on."""
        lines = ["#!/bin/sh", f"echo $$ >> {self._began}", *commands]
        self._program.write_text("\n".join(lines))
        self._program.chmod(0o700)

    def asked(self, path: str = "/clone", address: str = HOST) -> http.client.HTTPSConnection:
        """A question from an address, whose answer is not read yet."""
        port, tls = self.door.server_address[1], self._authority.asking()
        made = http.client.HTTPSConnection(
            HOST, port, timeout=AWAITED_SECONDS, context=tls, source_address=(address, 0)
        )
        made.request("POST", path, "{}")
        return made

    @property
    def backups(self) -> list[int]:
        """Those that have begun."""
        return [int(line) for line in self._began.read_text().split()] if self._began.exists() else []

    @property
    def running(self) -> int:
        """How many have not ended."""
        return sum(Path(f"/proc/{number}").exists() for number in self.backups)

    def until(self, begun: int, running: int) -> float:
        """Seconds until so many have begun, and so many run."""
        since = time.monotonic()
        while (len(self.backups), self.running) != (begun, running):
            assert time.monotonic() < since + AWAITED_SECONDS, f"{self.backups} began, {self.running} run"
            time.sleep(0.02)
        return time.monotonic() - since


@pytest.fixture
def donor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Donor]:
    authority = Authority(tmp_path)
    authority.names("mysql1")
    authority.used_by_keepers(monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(donation, "QUIET_SECONDS", 0.1)
    made = Donor(tmp_path, authority)
    authority.names("mysql2")
    yield made
    made.door.shutdown()
    made.door.server_close()


def _whole(connection: http.client.HTTPSConnection) -> int:
    """The bytes of an answer that is whole."""
    with contextlib.closing(connection):
        response = connection.getresponse()
        assert response.status == 200
        return len(response.read())


def test_a_copy_that_nothing_hinders_is_whole(donor: Donor) -> None:
    """However long it takes before it locks, and after it has unlocked."""
    donor.does(PIECES, "sleep 1", LOCKED, PIECES, UNLOCKED, "sleep 1", PIECES)
    assert _whole(donor.asked()) == 900_000
    donor.until(1, 0)


def _takes_little(connection: http.client.HTTPSConnection) -> float:
    """Seconds until an answer ends of which little is read at a time, and that steadily."""
    begun = time.monotonic()
    with contextlib.closing(connection), contextlib.suppress(http.client.IncompleteRead):
        response = connection.getresponse()
        while response.read(1 << 16):
            assert time.monotonic() < begun + AWAITED_SECONDS, "it has no end"
            time.sleep(0.02)
    return time.monotonic() - begun


@pytest.mark.parametrize(("path", "stage"), [("/clone", "BLOCK_COMMIT"), ("/galera", "BLOCK_DDL")])
def test_commits_wait_for_a_slow_node_for_a_bounded_time(
    donor: Donor, capfd: pytest.CaptureFixture[str], path: str, stage: str
) -> None:
    donor.does("head -c 1000 /dev/zero", f"echo '[00] Starting BACKUP STAGE {stage}' >&2", "exec cat /dev/zero")
    slow = threading.Thread(target=_takes_little, args=(donor.asked(path),))
    slow.start()
    donor.until(1, 1)
    donor.until(1, 0)
    slow.join(AWAITED_SECONDS)
    assert "commits waited for 1 s" in capfd.readouterr().out


def test_what_mariadb_backup_takes_by_itself_does_not_count(donor: Donor) -> None:
    """It would take as long at the next try."""
    donor.does(PIECES, LOCKED, f"sleep {4 * PATIENCE}", PIECES, UNLOCKED)
    assert _whole(donor.asked()) == 600_000


def test_a_slow_node_is_waited_for_while_no_commit_is(donor: Donor) -> None:
    donor.does("head -c 9000000 /dev/zero")
    assert _takes_little(donor.asked()) > 3 * PATIENCE


def test_definitions_may_be_locked_for_long_without_galera(donor: Donor) -> None:
    donor.does("echo '[00] Started BACKUP STAGE BLOCK_DDL' >&2", f"sleep {4 * PATIENCE}", PIECES)
    assert _whole(donor.asked()) == 300_000


def test_a_node_that_takes_nothing_is_given_up(donor: Donor, capfd: pytest.CaptureFixture[str]) -> None:
    """Its connection stays, as that of a node that hangs."""
    donor.does("exec cat /dev/zero")
    with contextlib.closing(donor.asked()) as connection:
        assert connection.sock.recv(1)
        donor.until(1, 1)
        assert donor.until(1, 0) < 5 * PATIENCE
    assert "the node that is copied has gone, or took nothing" in capfd.readouterr().out


def test_a_node_that_goes_while_nothing_comes_ends_mariadb_backup(donor: Donor) -> None:
    donor.does(PIECES, ENDLESS)
    connection = donor.asked()
    donor.until(1, 1)
    connection.close()
    assert donor.until(1, 0) < 5


def test_one_copy_is_made_at_a_time(donor: Donor) -> None:
    donor.does(ENDLESS)
    with contextlib.closing(donor.asked()):
        donor.until(1, 1)
        with contextlib.closing(donor.asked()) as second:
            response = second.getresponse()
            assert (response.status, b"another node is being copied" in response.read()) == (503, True)
    donor.until(1, 0)
    donor.does(PIECES)
    assert _whole(donor.asked()) == 300_000


def test_without_mariadb_backup_the_reason_is_told(donor: Donor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for _ in range(2):  # and the next one is refused for the same reason
        with contextlib.closing(donor.asked()) as connection:
            response = connection.getresponse()
            assert (response.status, b"does not start" in response.read()) == (503, True)


def test_a_mariadb_backup_that_fails_at_once_is_told_too(donor: Donor) -> None:
    donor.does("echo '[00] FATAL ERROR: no access' >&2", "exit 1")
    with contextlib.closing(donor.asked()) as connection:
        response = connection.getresponse()
        assert (response.status, b"no access" in response.read()) == (503, True)


def test_a_reason_that_is_read_late_is_told_too(donor: Donor, monkeypatch: pytest.MonkeyPatch) -> None:
    heed = donation.Bound._heed  # noqa: SLF001  what reads the lines, made slow

    def late(bound: donation.Bound, line: bytes) -> None:
        time.sleep(0.3)
        heed(bound, line)

    monkeypatch.setattr(donation.Bound, "_heed", late)
    donor.does("echo '[00] FATAL ERROR: no access' >&2", "exit 1")
    with contextlib.closing(donor.asked()) as connection:
        response = connection.getresponse()
        assert (response.status, b"no access" in response.read()) == (503, True)


def test_a_mariadb_backup_that_fails_is_no_whole_copy(donor: Donor, capfd: pytest.CaptureFixture[str]) -> None:
    donor.does(PIECES, "echo '[00] FATAL ERROR: no space' >&2", "exit 1")
    with contextlib.closing(donor.asked()) as connection, pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    donor.until(1, 0)
    assert "ended with 1: [00] FATAL ERROR: no space" in capfd.readouterr().out


def test_a_mariadb_backup_that_does_not_end_is_no_whole_copy_and_makes_room_for_the_next(
    donor: Donor, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All has come, and it hangs: as it waits for a lock or its disk."""
    monkeypatch.setattr(child, "END_SECONDS", 1.0)
    donor.does(PIECES, "exec >&- sleep 60")
    with contextlib.closing(donor.asked()) as connection, pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    donor.until(1, 0)
    assert "has not ended 1 s after its last byte" in capfd.readouterr().out
    donor.does(PIECES)
    with contextlib.closing(donor.asked()) as connection:
        assert len(connection.getresponse().read()) == 300000


# -- strangers --


def _opened(door: doors.Listener, address: str) -> socket.socket:
    made = socket.create_connection((HOST, door.server_address[1]), AWAITED_SECONDS, source_address=(address, 0))
    made.settimeout(AWAITED_SECONDS)
    return made


def test_neighbours_without_a_certificate_take_a_bounded_number_of_threads(donor: Donor) -> None:
    """From however many addresses; a node is answered meanwhile."""
    with contextlib.ExitStack() as stack:
        before = threading.active_count()
        for number in range(2, 12):
            for _ in range(20):
                stack.enter_context(_opened(donor.door, f"127.0.0.{number}"))
        donor.does(PIECES)
        assert _whole(donor.asked()) == 300_000
        assert threading.active_count() - before <= doors.STRANGERS + 2
    deadline = time.monotonic() + AWAITED_SECONDS
    while threading.active_count() > before + 2:
        assert time.monotonic() < deadline, "connections that have gone keep their threads"
        time.sleep(0.05)
    assert _whole(donor.asked(address="127.0.0.2")) == 300_000, "who is no node by address may be one by certificate"
