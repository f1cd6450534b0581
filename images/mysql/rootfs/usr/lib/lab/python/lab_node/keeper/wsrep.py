"""Galera's own side of mariadbd: what it says of itself, and what it keeps beside the data."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .database import Trouble
from .server import DATA

if TYPE_CHECKING:
    from .database import Database

STATE = DATA / "grastate.dat"
NOBODY = "00000000-0000-0000-0000-000000000000"
RECOVERING_SECONDS = 120
USABLE = ("Synced", "Donor/Desynced")  # one that gives its data to another goes on meanwhile


@dataclass(frozen=True)
class Figures:
    """`primary`: in the primary component; `synced`: with all that it was sent; `members`: its nodes' addresses."""

    primary: bool
    synced: bool
    state: str
    position: int
    members: tuple[str, ...]


def figures(database: Database, seconds: float) -> Figures:
    """What a running node says."""
    rows = database.look("SHOW GLOBAL STATUS LIKE 'wsrep%'", seconds)
    values = {row["Variable_name"]: str(row["Value"]) for row in rows}
    primary = values.get("wsrep_cluster_status") == "Primary" and values.get("wsrep_ready") == "ON"
    state = values.get("wsrep_local_state_comment", "")
    position = max(0, int(values.get("wsrep_last_committed", "0")))
    members = tuple(one.rpartition(":")[0] for one in values.get("wsrep_incoming_addresses", "").split(",") if one)
    return Figures(primary, state in USABLE, state, position, members)


def epochs(database: Database) -> list[tuple[int, str, int]]:
    """Each epoch: its number, the node that takes the writes in it, the position after which it began."""
    rows = database.ask("SELECT epoch, node, began_after FROM lab.epochs")
    return [(row["epoch"], row["node"], row["began_after"]) for row in rows]


def begin(database: Database, epoch: int, node: str, after: int, seconds: float) -> None:
    """Begins an epoch, within some seconds: a transaction like any other, so that all nodes see it in the same place.

    Of two that try at once one succeeds.
    """
    insert = "INSERT IGNORE INTO lab.epochs (epoch, node, began_after) VALUES (%s, %s, %s)"
    database.ask(insert, epoch, node, after, seconds=seconds)


def recovered(mariadbd: str) -> tuple[str, int]:
    """What is on this disk, while nothing runs: whose history, and the number of its last transaction."""
    pairs = re.findall(r"^(uuid|seqno):\s*(\S+)", STATE.read_text() if STATE.exists() else "", re.MULTILINE)
    values = dict(pairs)
    if int(values.get("seqno", "-1")) < 0:
        # It was not stopped cleanly: InnoDB knows.
        # It ends with this process: the next keeper reads the same disk.
        argv = ["setpriv", "--reuid=mysql", "--regid=mysql", "--clear-groups", "--pdeathsig=KILL", mariadbd]
        done = subprocess.run(
            [*argv, "--defaults-file=/etc/lab/my.cnf", "--wsrep-recover"],
            stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, check=False, timeout=RECOVERING_SECONDS,
        )  # fmt: skip
        matches = re.findall(r"Recovered position: ([0-9a-f-]+):(-?\d+)", done.stdout)
        if not matches:
            raise Trouble(f"its disk can't be read: {last_error(done.stdout)}")
        values = {"uuid": matches[-1][0], "seqno": matches[-1][1]}
    if values["uuid"] == NOBODY:
        return "", 0
    return values["uuid"], max(0, int(values["seqno"]))


def unsafe() -> bool:
    """Whether a node ended amid a statement that can't be undone: Galera removes what it knew of the data before."""
    return bool(re.search(rf"^uuid:\s*{NOBODY}", STATE.read_text() if STATE.exists() else "", re.MULTILINE))


def last_error(text: str) -> str:
    """The last thing that mariadbd called an error."""
    errors = re.findall(r"\[ERROR\] (.*)", text)
    return errors[-1] if errors else "mariadbd says nothing"


def allow_beginning() -> None:
    """The keepers have agreed on what Galera can't know by itself."""
    if STATE.exists():
        STATE.write_text(re.sub(r"safe_to_bootstrap:.*", "safe_to_bootstrap: 1", STATE.read_text()))


def remember(uuid: str, position: int) -> None:
    """Where a copy that was just put here comes from: the rest is sent by another node."""
    STATE.write_text(f"# GALERA saved state\nversion: 2.1\nuuid: {uuid}\nseqno: {position}\nsafe_to_bootstrap: 0\n")
    shutil.chown(STATE, "mysql", "mysql")
