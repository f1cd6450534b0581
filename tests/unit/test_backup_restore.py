"""Tables after a restore: what was written to since is told, and what is not what it was is a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from lab_node.backup import definitions, restore

if TYPE_CHECKING:
    from lab_node.backup.databases import Server
    from lab_node.backup.session import Session

SUMS = {"shop.orders": "1", "shop.items": "2", "lab.epochs": "3"}


class Cluster:
    """A server whose tables have such sums, one answer after the other; the last one stays."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self.answers = [SUMS | answer for answer in answers]
        self.asked = 0

    def checksums(self, session: object) -> dict[str, str]:
        assert session
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]


class Asked:
    """A session of a server that knows of such tables that they were written to."""

    def __init__(self, *written: str) -> None:
        self.written = written

    def rows(self, statement: str) -> list[list[str]]:
        if "update_time" in statement:
            assert "> 1700000000" in statement
            return [[name] for name in self.written]
        return []


@pytest.mark.parametrize(
    ("answers", "written", "missed", "changed"),
    [
        ([{}], [], [], []),
        ([{"lab.epochs": "9"}], [], [], []),
        ([{"shop.orders": "5"}, {"shop.orders": "6"}], [], [], ["shop.orders"]),
        ([{"shop.orders": "5"}], [], ["shop.orders"], []),
        ([{"shop.orders": "5"}], ["shop.orders"], [], ["shop.orders"]),
        ([{"shop.orders": "5", "shop.items": "7"}], ["shop.items"], ["shop.orders"], ["shop.items"]),
    ],
)
def test_a_table_that_differs_and_stays_so_is_a_failure(
    answers: list[dict[str, str]], written: list[str], missed: list[str], changed: list[str]
) -> None:
    cluster, session = cast("Server", Cluster(*answers)), cast("Session", Asked(*written))
    assert restore.compared(cluster, session, SUMS, "1700000000") == (missed, changed)


def test_a_table_that_is_missing_is_a_failure() -> None:
    cluster, session = cast("Server", Cluster({})), cast("Session", Asked())
    assert restore.compared(cluster, session, {**SUMS, "shop.gone": "4"}, "1") == (["shop.gone"], [])


class Federated:
    """A session of a server that refers to another one, and has a function of a library."""

    def rows(self, statement: str) -> list[list[str]]:
        if "mysql.servers" in statement:
            return [["o`ther", "mysql", "3307", "10.0.0.1", "d", "o'hara", "back\\slash", "", "ann"]]
        return [["metaphon", "udf_example.so"]] if "mysql.func" in statement else []


def test_another_server_is_kept_by_the_statement_that_makes_it() -> None:
    session = cast("Session", Federated())
    statement = (
        "CREATE OR REPLACE SERVER `o``ther` FOREIGN DATA WRAPPER `mysql` OPTIONS (PORT 3307, HOST '10.0.0.1', "
        "DATABASE 'd', USER 'o''hara', PASSWORD 'back\\\\slash', SOCKET '', OWNER 'ann')"
    )
    assert definitions.servers(session) == {"o`ther": statement}
    assert [*definitions.read(session)] == ["server o`ther"]
    assert definitions.script({}, definitions.servers(session)) == f"{statement};\n"


def test_a_function_of_a_library_is_named_with_that() -> None:
    assert definitions.loadable(cast("Session", Federated())) == ["metaphon (udf_example.so)"]
