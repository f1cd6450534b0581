"""The MySQL nodes as a group: which one is writable, whether all replicate, and what the ledger says."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from lab.evidence.ledger import Verdict
from lab.services.mysql import Member, members
from lab.topology import Mysql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.backends.base import Result
    from lab.evidence import Ledger
    from lab.testing import LabCluster
    from lab.testing.rounds import Round

SOME, FEW = 40, 8  # inserts before and after something happens
WHOLE_SECONDS = 60.0
SERVING_SECONDS = 30.0  # until a look shows it; how long nobody took writes is judged by the probes


def primary(cluster: LabCluster) -> str:
    return serving(members(cluster.backend))[0]


def serving(found: list[Member]) -> list[str]:
    return [member.name for member in found if member.serves]


def whole(cluster: LabCluster) -> list[Member]:
    """One node that takes writes, two that follow it, semi-sync on where it is used, nothing to be said."""
    semi_sync = not galera(cluster)

    def good(found: list[Member]) -> bool:
        fine = all(member.semi_sync is semi_sync and not member.reason for member in found)
        fine = fine and len(serving(found)) == 1
        return fine and sorted(member.role for member in found) == ["primary", "replica", "replica"]

    return cluster.until("the mysql nodes to be whole", WHOLE_SECONDS, lambda: members(cluster.backend), good)


def takes_writes(cluster: LabCluster, *, than: str = "", process: str = "") -> str:
    """The node that takes writes, other than one; or that one with another process."""

    def writable() -> list[str]:
        restarted = bool(process) and mariadbd(cluster, than) not in ("", process)
        return [name for name in serving(members(cluster.backend)) if name != than or restarted]

    return cluster.until("a node that takes writes", SERVING_SECONDS, writable, lambda names: len(names) == 1)[0]


def mariadbd(cluster: LabCluster, node: str) -> str:
    """The number of a node's mariadbd; "" while there is none."""
    return cluster.run(node, "pgrep -ox mariadbd").stdout.strip()


def more(book: Ledger, cluster: LabCluster) -> None:
    """As many writes as have ended, and some; fewer where an emulated processor needs seconds for one."""
    book.more(FEW if cluster.clock.emulated else SOME)


@contextlib.contextmanager
def hung(cluster: LabCluster, round_: Round, node: str) -> Iterator[None]:
    """Only the database hangs; its keeper ends it. Back at once, it may be the one that is elected."""
    with round_.broken("freeze", node):
        cluster.run(node, "pkill -STOP -x mariadbd")
        yield


def written(cluster: LabCluster, node: str) -> Result:
    """An insert straight into a node, as a user who may write, on that node itself."""
    password = cluster.run("client", "cat /etc/lab/passwords/evidence").stdout.strip()
    login = f"--host=127.0.0.1 --ssl-ca=/run/lab/ca.crt --user=evidence --password={password}"
    insert = "INSERT INTO evidence.ledger (run, id) VALUES ('straight', 'one')"
    return cluster.run(node, f'timeout {cluster.clock.option(5)} mariadb {login} -e "{insert}"')


def rows(cluster: LabCluster, node: str) -> int:
    """How many rows of `_written` a node has."""
    select = "mariadb -N -e \"SELECT COUNT(*) FROM evidence.ledger WHERE run = 'straight'\""
    return int(cluster.run(node, select).stdout)


def galera(cluster: LabCluster) -> bool:
    return cluster.options(Mysql).topology == "galera"


def waits_for(cluster: LabCluster, writer: str) -> None:
    """With Galera a commit may be durable on the node that took it alone: without that one nobody begins."""
    cluster.until(
        f"the others to wait for {writer}",
        WHOLE_SECONDS,
        lambda: [member.reason for member in members(cluster.backend)],
        lambda said: f"{writer}, which took the writes, is not there" in said,
    )
    assert serving(members(cluster.backend)) == []


def holds(cluster: LabCluster, book: Ledger) -> None:
    """Every acknowledged insert is on every node, once, and the nodes are identical."""
    found = whole(cluster)
    cluster.until(
        "the replicas to have all",
        20,
        lambda: members(cluster.backend),
        lambda f: len({m.position for m in f}) == 1,
    )
    (judgement,) = book.judge()
    assert judgement.verdict is Verdict.HOLDS, judgement
    sums = {member.name: cluster.run(member.name, CHECKSUM).stdout for member in found}
    assert len(set(sums.values())) == 1, sums


CHECKSUM = "mariadb -N -e 'CHECKSUM TABLE evidence.ledger, evidence.probes, lab.epochs'"
