"""The guest book's uploads, end to end: storage and database lose a node each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import parallel
from lab.evidence.ledger import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster


def test_uploads_are_kept_while_storage_and_database_lose_a_node(
    cluster: LabCluster, faults: Faults, ledger: Callable[..., Ledger]
) -> None:
    """Posted on one web node, read on all, with a picture that is whole. For a time both are away at once."""
    cluster.require("mysql", 3)
    cluster.require("storage", 3)
    with ledger("uploads", 8) as book:
        book.more(20)
        with faults.kill("storage1") as storage:
            book.more(20)
            with faults.kill("primary") as primary:
                book.more(40)
                parallel.for_each([storage, primary], lambda one: one.heal())
        book.more(20)
    cluster.heal()  # no entry waits to be healed: every brick has every picture
    (judgement,) = book.judge()
    assert judgement.verdict is Verdict.HOLDS, judgement
