"""Backups: what was there comes back, after anything; what can't come back is said before anything is touched."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import BackendError, LabError, SpecError
from lab.evidence.ledger import Outcome
from lab.lifecycle.down import down
from lab.progress import Silent
from lab.services import backup
from lab.topology import Backup
from tests.cluster import treasure
from tests.cluster.mail_client import Post, correspondents
from tests.markers import PEOPLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence import Ledger
    from lab.testing import LabCluster
pytestmark = pytest.mark.smaller("one node of each role that people use is all it needs", topology=PEOPLE)

NODE = "backup1"
MARK = "/var/lib/backup/staging/mark.json"
REPOSITORY = "/var/lib/backup/repository"
RATE = 20.0
SOME = 30
LETTER = "from before the disks were gone"
OWN = "lab."
"""The tables that the mysql nodes keep about themselves: no backup brings them back."""

ANOTHER = pytest.mark.nightly("a quarter to half a minute: another way in which a backup fails; two are in make test")
COMES_BACK = pytest.mark.nightly(
    "a quarter of a minute: files, mail and the database of a moment come back at every change, once all disks are gone"
)


@pytest.fixture
def backend(cluster: LabCluster) -> Any:  # noqa: ANN401  whichever backend
    cluster.options(Backup)
    return cluster.backend


def _mark(cluster: LabCluster) -> dict[str, Any]:
    """The mark of the newest backup, without what is not put back."""
    mark = json.loads(cluster.run(NODE, f"cat {MARK}").stdout)
    mark["tables"] = {name: of for name, of in mark["tables"].items() if not name.startswith(OWN)}
    return dict(mark)


def _write(cluster: LabCluster, name: str, size: int = 100_000) -> None:
    """A file on a shared volume, as a node that uses it writes it."""
    done = cluster.run(NODE, f"head -c {size} /dev/urandom > /srv/home/{name} && chown 20001:20001 /srv/home/{name}")
    assert done.ok, done.stderr


def _rows(cluster: LabCluster, run: str) -> set[str]:
    select = f"SELECT id FROM evidence.ledger WHERE run = '{run}'"  # noqa: S608  the run's name is the ledger's
    argv = ["mariadb", "--skip-column-names", "--execute", select]
    return set(cluster.backend.run(treasure.primary(cluster), argv).stdout.split())


def _reaches(cluster: LabCluster, moment: float) -> None:
    """Waits until the database's log is archived up to a moment."""
    cluster.until(
        "the archived log to reach the moment",
        60,
        lambda: backup.backups(cluster.backend)[-1].reach,
        lambda reach: reach >= moment,
    )


def _before(book: Ledger, moment: float) -> set[str]:
    """The ids of the rows that were acknowledged before a moment in which nobody wrote."""
    ended = [one for one in book.operations["mysql"] if one.completed < moment]
    return {one.id for one in ended if one.outcome is Outcome.ACKNOWLEDGED}


def _letter(cluster: LabCluster) -> str | None:
    """A message in Bob's mailbox, where the cluster has mail."""
    if not cluster.plan.role("mail"):
        return None
    post = correspondents(cluster)
    assert post.send("ann", "bob", subject=LETTER)[0] == 250
    return post.arrived("bob", LETTER)


@pytest.mark.read_only
def test_a_backup_is_made_listed_checked_and_tried(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    _write(cluster, "large", 5_000_000)
    first = backup.now(backend)
    second = backup.now(backend)
    assert second["new_bytes"] < first["new_bytes"] / 5, "what is there already is not kept twice"
    assert [one.id for one in backup.backups(backend)][-2:] == [first["id"], second["id"]]
    assert backup.check(backend)["backups"] >= 2
    told = backup.drill(backend)
    assert told["snapshot"] == second["id"]
    assert told["has"] == second["has"]
    assert set(told["recovery_point"]) <= {"files", "mysql"}
    assert cluster.run(NODE, "ls /var/lib/backup").stdout.split() == ["archive", "repository", "staging", "state.json"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"snapshot": "nosuch"}, "no backup 'nosuch'"),
        ({"only": "attic"}, "no 'attic' to restore"),
        ({"at": 1_000_000_000.0}, "no backup from before"),
        ({"at": 4_000_000_000.0}, "in the future"),
    ],
)
@pytest.mark.read_only
def test_what_can_not_be_restored_is_refused(backend: Any, asked: dict[str, Any], said: str) -> None:  # noqa: ANN401
    if not backup.backups(backend):
        backup.now(backend)
    with pytest.raises(SpecError, match=said):
        backup.restore(backend, **asked)


@COMES_BACK
def test_files_come_back_as_they_were(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    _write(cluster, "kept")
    backup.now(backend)
    before = _mark(cluster)
    cluster.run(NODE, "echo changed > /srv/home/kept; chmod 600 /srv/home/kept; touch /srv/home/newer")
    backup.restore(backend, only="home")
    backup.now(backend)
    assert _mark(cluster)["files"]["home"] == before["files"]["home"]


@pytest.mark.nightly("a quarter of a minute: every backup compares its files itself; all come back in another test")
def test_what_is_hard_to_keep_of_files_comes_back(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    before = treasure.files(cluster, NODE, treasure.MAKE)
    backup.now(backend)
    # The same again by size and time: whoever goes by these keeps the old content for ever.
    twice = treasure.files(cluster, NODE, "write(b'same', b'CCCC')")
    assert before != twice
    told = backup.now(backend)
    assert told["moving"] == []
    staged = cluster.run(
        NODE, "cat /var/lib/backup/staging/files/home/treasure/same; du -sk /var/lib/backup/staging/files/home/treasure"
    )
    assert staged.stdout.startswith("CCCC")
    assert int(staged.stdout[4:].split()[0]) < treasure.SPARSE_BYTES / 1024 / 4, (
        "a hole takes no room on the backup node either"
    )
    spoiled = treasure.files(cluster, NODE, treasure.SPOIL)
    assert spoiled != twice
    assert backup.restore(backend, only="home")["changed"] == []
    assert treasure.files(cluster, NODE) == twice
    cluster.run(NODE, f"rm -rf {treasure.FOLDER}")


@pytest.mark.nightly("half a minute: every backup compares its dumps itself; all come back in another test")
def test_what_is_hard_to_keep_of_databases_comes_back(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    cluster.require("mysql", 1)
    backup.now(backend)
    treasure.rows(cluster, treasure.TABLES)
    before = treasure.described(cluster)
    _reaches(cluster, cluster.clock.now())
    told = backup.now(backend)
    assert backup.drill(backend)["has"] == told["has"]
    named = {"event treasure.runs", "view treasure.seen", "routine treasure.does", "trigger treasure.before_it"}
    assert named | {"account reader@%", "account PUBLIC"} <= set(_mark(cluster)["definitions"])
    treasure.rows(cluster, treasure.RUIN)
    assert backup.restore(backend, snapshot=told["id"], only="mysql")["changed"] == []
    assert treasure.described(cluster) == before
    checksums = "mariadb -N -e 'CHECKSUM TABLE treasure.big, treasure.history'"
    names = [node.name for node in cluster.plan.role("mysql")]
    cluster.until(
        "the rows on every mysql node",
        30,
        lambda: {cluster.run(name, checksums).stdout for name in names},
        lambda said: len(said) == 1,
    )
    treasure.rows(cluster, treasure.CLEAR)


PRECISE = """CREATE TABLE precise (
    id INT, s BIGINT UNSIGNED GENERATED ALWAYS AS ROW START, e BIGINT UNSIGNED GENERATED ALWAYS AS ROW END,
    PERIOD FOR SYSTEM_TIME (s, e)
) WITH SYSTEM VERSIONING"""
"""Its history goes by transactions, which no dump can give back."""
LOADED = "INSERT INTO mysql.func VALUES ('metaphon', 0, 'udf_example.so', 'function')"
"""As CREATE FUNCTION ... SONAME leaves it; without the library, which is a file of a node."""
BROKEN = "CREATE TABLE t (id INT); CREATE VIEW broken AS SELECT id FROM t; DROP TABLE t"


@pytest.mark.nightly(
    "a quarter of a minute each: a file that no restore has room for is found by the same check at every change"
)
@pytest.mark.parametrize(("made", "said"), [(PRECISE, "precise"), (BROKEN, "broken"), (LOADED, "metaphon")])
def test_what_can_not_come_back_is_found_by_the_backup(cluster: LabCluster, backend: Any, made: str, said: str) -> None:  # noqa: ANN401
    cluster.require("mysql", 1)
    backup.now(backend)
    known = [one.id for one in backup.backups(backend)]
    treasure.rows(cluster, f"CREATE DATABASE lost; USE lost; {made}")
    _reaches(cluster, cluster.clock.now())
    with pytest.raises(BackendError, match=said):
        backup.now(backend)
    assert [one.id for one in backup.backups(backend)] == known
    treasure.rows(cluster, "DROP DATABASE lost; DELETE FROM mysql.func")
    _reaches(cluster, cluster.clock.now())
    backup.now(backend)


def test_a_file_that_no_restore_has_room_for_is_found_by_the_backup(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    cluster.run(NODE, "truncate -s 8T /srv/home/hole")
    try:
        with pytest.raises(BackendError, match="home/hole"):
            backup.now(backend)
    finally:
        cluster.run(NODE, "rm /srv/home/hole")
    backup.now(backend)


A_MONTH_AHEAD = """
import json
path = "/var/lib/backup/state.json"
told = {key: of + 30 * 86400 if key in ("began", "good", "tried") else of for key, of in json.load(open(path)).items()}
json.dump(told, open(path, "w"))
"""


@pytest.mark.nightly("a clock is set wrong by a person, once; the schedule's rule is a unit test")
def test_a_clock_that_was_wrong_once_stops_no_schedule(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    made = backup.now(backend)["id"]
    done = cluster.backend.run(NODE, ["python3", "-c", A_MONTH_AHEAD])
    assert done.ok, done.stderr
    cluster.until(
        "a backup by the schedule itself", 90, lambda: backup.backups(backend)[-1].id, lambda newest: newest != made
    )
    assert "by a clock that was wrong" in "".join(cluster.logs(NODE))
    cluster.until("the node to be ready", 30, lambda: cluster.run(NODE, "/usr/lib/lab/ready").ok)


@COMES_BACK
def test_mail_comes_back_with_flags_and_numbers(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    post = correspondents(cluster)
    letters = [["APPEND", f"Subject: {number}\n\nHello.\n"] for number in range(4)]
    marks = [
        ["STORE", "2", "+FLAGS", r"(\Seen \Flagged $Work)"],
        ["STORE", "1", "+FLAGS", r"(\Deleted)"],
        ["EXPUNGE", "1"],
    ]
    unmarked = [["STORE", "2", "-FLAGS", r"(\Seen $Work)"], ["STORE", "3", "+FLAGS", r"(\Deleted)"], ["EXPUNGE", "3"]]
    post.handle("ann", *letters, folder="Saved")
    kept = post.handle("ann", *marks, folder="Saved")
    backup.now(backend)
    assert post.handle("ann", *unmarked, letters[0], folder="Saved") != kept
    backup.restore(backend, only="mail")
    found = post.handle("ann", folder="Saved")
    assert found["validity"] == kept["validity"]
    second, third, fourth = kept["messages"]
    assert "$Work" in second
    # What was expunged since has a new number where this mail node's own index knows the old one for deleted.
    assert found["messages"] in ([second, third, fourth], [second, fourth, third.replace("UID 3", "UID 6")])


@COMES_BACK
def test_the_database_of_a_moment_comes_back(
    cluster: LabCluster,
    backend: Any,  # noqa: ANN401
    ledger: Callable[..., Ledger],
) -> None:
    cluster.require("mysql", 1)
    with ledger("mysql", RATE) as book:
        book.more(SOME)
        backup.now(backend)
        book.more(SOME)
    moment = float(int(cluster.clock.now()) + 2)  # the log knows seconds
    cluster.until("the moment to be over", 10, time.time, lambda now: now > moment + 1)
    with ledger("mysql", RATE) as later:
        later.more(SOME)
    _reaches(cluster, moment)
    told = backup.restore(backend, at=moment, only="mysql")
    assert told["played"] > 0
    assert _rows(cluster, book.run) >= _before(book, moment)
    assert _rows(cluster, later.run) == set()


def test_everything_comes_back_after_all_disks_are_gone(
    cluster: LabCluster,
    backend: Any,  # noqa: ANN401
    ledger: Callable[..., Ledger],
) -> None:
    cluster.require("mysql", 1)
    cluster.require("storage", 1)
    _write(cluster, "before")
    with ledger("mysql", RATE) as book:
        book.more(SOME)
    letter = _letter(cluster)
    inbox = Post(cluster).handle("bob", ["STORE", "1", "+FLAGS", r"(\Flagged $Work)"]) if letter else {}
    kept = backup.now(backend)["id"]
    mark = _mark(cluster)
    with ledger("mysql", RATE) as after:
        _write(cluster, "after")
        after.more(SOME)
    moment = float(int(cluster.clock.now()) + 2)
    _reaches(cluster, moment)
    down(backend, Silent(), volumes=True, keep_backups=True)
    cluster.apply(cluster.spec)
    assert _rows(cluster, book.run) == set()
    backup.restore(backend, snapshot=kept)
    assert _before(book, moment) <= _rows(cluster, book.run)
    assert _rows(cluster, after.run) == set()
    backup.now(backend)
    assert _mark(cluster) == mark
    if letter:
        assert Post(cluster).arrived("bob", LETTER) == letter, "the account, its password and its message are back"
        assert Post(cluster).handle("bob") == inbox, "with its number, its flags and its keywords"
    backup.restore(backend, at=moment)
    assert _rows(cluster, after.run) >= _before(after, moment)
    backup.now(backend)
    assert _mark(cluster)["files"] == mark["files"]


def test_a_damaged_repository_is_found(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    find = f"find {REPOSITORY}/data -type f -size +100k | head -1"
    if not cluster.run(NODE, find).stdout:
        _write(cluster, "large", 1_000_000)
        backup.now(backend)
    pack = cluster.run(NODE, find).stdout.strip()
    cluster.run(NODE, f"cp -p {pack} /tmp/pack; printf lab | dd of={pack} bs=1 seek=5000 conv=notrunc")
    with pytest.raises(BackendError, match="damaged"):
        backup.check(backend)
    cluster.run(NODE, f"cp -p /tmp/pack {pack}; rm /tmp/pack")
    backup.check(backend)


@ANOTHER
def test_a_backup_that_is_killed_leaves_the_others(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    before = backup.now(backend)["id"]
    _write(cluster, "larger", 60_000_000)
    known = len(backup.backups(backend))
    ended: list[LabError] = []

    def run() -> None:
        try:
            backup.now(backend)
        except LabError as error:
            ended.append(error)

    running = threading.Thread(target=run)
    running.start()
    cluster.until("restic at work", 60, lambda: cluster.run(NODE, "pgrep -f 'restic .*backup'").ok)
    backend.kill(NODE)
    running.join()
    assert ended
    backend.start(NODE)
    cluster.until("the node to be back", 60, lambda: cluster.run(NODE, "/usr/lib/lab/ready").ok)
    assert len(backup.backups(backend)) == known
    assert backup.drill(backend)["snapshot"] == before
    backup.check(backend)
    backup.now(backend)
    cluster.run(NODE, "rm /srv/home/larger")


@ANOTHER
def test_a_wrong_password_is_said_and_nothing_is_lost(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    backup.now(backend)
    cluster.run(NODE, "cp -p /etc/lab/repository /tmp/repository; echo another > /etc/lab/repository")
    with pytest.raises(BackendError, match="made with another password"):
        backup.now(backend)
    reason = cluster.until(
        "the node to say so",
        30,
        lambda: cluster.run(NODE, "/usr/lib/lab/ready").stdout,
        lambda said: "failed" in said,
    )
    assert "another password" in reason
    cluster.run(NODE, "cp -p /tmp/repository /etc/lab/repository; rm /tmp/repository")
    backup.now(backend)
    cluster.until("the node to be ready", 30, lambda: cluster.run(NODE, "/usr/lib/lab/ready").ok)


@ANOTHER
def test_a_full_disk_is_said_and_the_others_can_be_restored(cluster: LabCluster, backend: Any) -> None:  # noqa: ANN401
    kept = backup.now(backend)["id"]
    small = f"mount -t tmpfs -o size=$(($(du -sk {REPOSITORY} | cut -f1) + 2048))k tmpfs {REPOSITORY}"
    done = cluster.run(NODE, f"cp -a {REPOSITORY}/. /var/tmp/kept && {small} && cp -a /var/tmp/kept/. {REPOSITORY}/")
    assert done.ok, done.stderr
    try:
        _write(cluster, "too-large", 20_000_000)
        with pytest.raises(BackendError, match="disk is full"):
            backup.now(backend)
        # To its last byte: nothing that only reads may have to write a lock there.
        cluster.run(NODE, f"head -c 9999999 /dev/zero > {REPOSITORY}/filler")
        assert backup.drill(backend)["snapshot"] == kept
        assert [one.id for one in backup.backups(backend)][-1] == kept
    finally:
        cluster.run(NODE, f"umount {REPOSITORY}; rm -rf /var/tmp/kept /srv/home/too-large")
    backup.now(backend)
    backup.check(backend)
