"""A check of a lesson sees what a daemon runs with, and whose transactions a node has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.learning.attempt import attempt
from lab.learning.library import lesson
from tests.unit.shells import Shell, asked

if TYPE_CHECKING:
    from pathlib import Path

STATUS = """
                Slave_IO_State: {state}
              Slave_IO_Running: {io}
             Slave_SQL_Running: {sql}
        Replicate_Ignore_Table: {ignored}
                 Last_IO_Error: {io_error}
                Last_SQL_Error: {sql_error}
                    Using_Gtid: Slave_Pos
"""
RUNS = {"state": "", "io": "Yes", "sql": "Yes", "ignored": "", "io_error": "", "sql_error": ""}


@pytest.mark.parametrize(("number", "task", "index"), [(6, "follows", 3), (6, "returns", 0), (13, "runs", 0)])
def test_a_replica_that_stands_still_has_the_reason_of_its_cause(
    tmp_path: Path, number: int, task: str, index: int
) -> None:
    said = tmp_path / "said"
    shell = Shell(tmp_path, mariadb=f"cat {said}")
    for values, reason in (
        ({}, ""),
        ({"io": "No", "sql": "No"}, "not-started"),
        ({"io": "No"}, "not-started"),
        ({"sql": "No"}, "not-started"),
        ({"io": "Connecting"}, "not-fetched"),
        ({"io": "Connecting", "io_error": "Access denied"}, "not-fetched"),
        ({"io": "No", "io_error": "error reconnecting: Can't connect to server"}, "not-fetched"),
        ({"sql": "No", "sql_error": "Duplicate entry '214'"}, "not-applied"),
    ):
        said.write_text(STATUS.format(**{**RUNS, **values}), encoding="utf-8")
        outcome = asked(number, task, index, shell)
        assert outcome.reason == reason, (values, outcome)
        assert not reason or "{error}" not in outcome.says
        assert reason in {"", *lesson(number).task(task).hints.reasons}
    for text, reason in (("", "follows-nobody"), ("ERROR 2002 (HY000): Can't connect to local server", "no-database")):
        said.write_text(text, encoding="utf-8")
        assert asked(number, task, index, shell).reason == reason


OUT_OF_ORDER = (
    "An attempt was made to binlog GTID 0-1-3 which would create an out-of-order sequence number with existing GTID "
    "0-2-3, and gtid strict mode is enabled"
)
NOT_IN_LOG = (
    "Got fatal error 1236 from master when reading data from binary log: 'Error: connecting slave requested to start "
    "from GTID 0-2-5, which is not in the master's binlog'"
)


@pytest.mark.parametrize(("task", "index"), [("runs", 0), ("closed", 3)])
def test_a_transaction_of_the_replicas_own_is_the_cause_of_what_it_breaks(
    tmp_path: Path, task: str, index: int
) -> None:
    said = tmp_path / "said"
    shell = Shell(tmp_path, mariadb=f"cat {said}")
    for values, own in (({"sql": "No", "sql_error": OUT_OF_ORDER}, "0-2-3"), ({"io_error": NOT_IN_LOG}, "0-2-5")):
        said.write_text(STATUS.format(**{**RUNS, "io": "No", **values}), encoding="utf-8")
        outcome = asked(13, task, index, shell)
        assert (outcome.reason, own in outcome.says) == ("own-transaction", True), outcome


@pytest.mark.parametrize(
    ("read_only", "position", "status", "reason"),
    [
        ("1", "", "", ""),
        ("1", "0-11-5", "Using_Gtid", ""),
        ("0", "", "", "replaced"),
        ("0", "0-11-5", "", "replaced"),
        ("1", "0-11-5", "", "replaced"),
    ],
)
def test_no_check_writes_on_a_node_that_was_replaced(
    tmp_path: Path, read_only: str, position: str, status: str, reason: str
) -> None:
    answers = f'*read_only*) echo "{read_only}" ;; *slave_pos*) echo "{position}" ;; *STATUS*) printf "{status}" ;;'
    shell = Shell(tmp_path, mariadb=f'case "$*" in {answers} esac')
    for task in ("first-node", "acknowledged"):
        checks = lesson(6).task(task).checks
        place = next(index for index, (_, told) in enumerate(checks) if told.get("reason") == "replaced")
        assert asked(6, task, place, shell).reason == reason
        writes = [index for index, (_, told) in enumerate(checks) if "CREATE OR REPLACE" in told.get("statement", "")]
        assert writes
        assert min(writes) > place


@pytest.mark.parametrize(
    ("runs", "reason"), [("Uptime\\t9", ""), ("Uptime\\t400", "never-died"), ("ERROR 2002: no server", "no-database")]
)
def test_a_primary_that_was_closed_did_not_die(tmp_path: Path, runs: str, reason: str) -> None:
    shell = Shell(tmp_path, mariadb=f'case "$*" in *Uptime*) printf "{runs}" ;; *) echo 60 ;; esac')
    assert asked(6, "promoted", 3, shell).reason == reason


def test_a_file_counts_as_mariadbd_reads_it(tmp_path: Path) -> None:
    both, error = "read-only TRUE\nskip-slave-start TRUE", "2026 0 [ERROR] mariadbd: unknown variable 'x=1'"
    for number, task, index, text, reason in (
        (13, "closed", 1, "read-only TRUE", ""),
        (13, "closed", 1, "read-only FALSE", "not-in-file"),
        (13, "closed", 1, f"{error}\nread-only TRUE", "not-valid"),
        (13, "closed", 1, "Could not open required defaults file: /etc/lab/my.cnf", "not-valid"),
        (6, "first-node", 4, "read-only FALSE", "opens-itself"),
        (6, "second-node", 5, both, ""),
        (6, "second-node", 6, both.replace("start TRUE", "start FALSE"), "begins-by-itself"),
        (6, "second-node", 5, both.replace("only TRUE", "only FALSE"), "opens-itself"),
    ):
        (tmp_path / "said").write_text(text, encoding="utf-8")
        outcome = asked(number, task, index, Shell(tmp_path, mariadbd=f"cat {tmp_path}/said"))
        assert outcome.reason == reason, (task, text, outcome)


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        ((8, "holder", 1), "Virtual Router ID {router}\nPriority 200", ""),
        ((8, "holder", 1), "Virtual Router ID 51\nPriority 200", "other-router"),
        ((8, "second", 1), "Virtual Router ID {router}\nPriority 200", "other-priority"),
        ((8, "moves", 0), "version 3, 250 ms; 250 ms", ""),
        ((8, "moves", 1), "version 3, 1000 ms; 250 ms", "not-read"),
        ((14, "moves", 0), "version 2, 1000 ms; 250 ms", "version"),
        ((14, "moves", 1), "version ,  ms; 1000 ms", "not-running"),
        ((8, "stays", 0), "preempt disabled", ""),
        ((8, "stays", 0), "preempt enabled", "preempts"),
        ((8, "stays", 0), "cat: /run/keepalived/keepalived.pid: No such file or directory", "not-running"),
    ],
)
def test_what_keepalived_runs_with_counts(tmp_path: Path, place: tuple[int, str, int], text: str, reason: str) -> None:
    made = attempt(lesson(place[0]), MemoryBackend("www"))
    (tmp_path / "said").write_text(text.format(**made.known), encoding="utf-8")
    assert asked(*place, Shell(tmp_path, sh=f"cat {tmp_path}/said")).reason == reason


@pytest.mark.parametrize(
    ("place", "text", "reason"),
    [
        ((7, "key", 3), "ada@10.90.0.71: Permission denied (publickey).", ""),
        ((7, "key", 3), "no home yet", ""),
        ((7, "key", 3), "ada", "own-keys"),
        ((7, "key", 3), "Connection closed by 10.90.0.71 port 22", "no-answer"),
        ((7, "key", 4), "authorizedkeysfile none\npermitrootlogin no", ""),
        ((7, "key", 4), "authorizedkeysfile .ssh/authorized_keys\npermitrootlogin no", "own-keys"),
        ((7, "key", 4), "authorizedkeysfile none\npermitrootlogin without-password", "root-too"),
        ((7, "key", 4), "not read", "not-read"),
        ((7, "key", 4), "no number", "no-number"),
        ((7, "forwarding", 2), "none", ""),
        ((7, "forwarding", 2), "not read", "not-read"),
    ],
)
def test_what_sshd_runs_with_counts(tmp_path: Path, place: tuple[int, str, int], text: str, reason: str) -> None:
    (tmp_path / "said").write_text(text, encoding="utf-8")
    outcome = asked(*place, Shell(tmp_path, sh=f"cat {tmp_path}/said"))
    assert (outcome.reason, outcome.green) == (reason, not reason), outcome


def test_a_table_that_is_left_out_of_replication_is_no_mended_one(tmp_path: Path) -> None:
    for ignored, reason in (("", ""), ("evidence.amber", "filtered")):
        (tmp_path / "said").write_text(STATUS.format(**RUNS | {"ignored": ignored}), encoding="utf-8")
        outcome = asked(13, "runs", 2, Shell(tmp_path, mariadb=f"cat {tmp_path}/said"))
        assert outcome.reason == reason
        assert not reason or outcome.says.endswith("Replicate_Ignore_Table: evidence.amber")
