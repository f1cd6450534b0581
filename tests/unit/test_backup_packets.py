"""The limit of a packet that a restore raises is put back, also after one that was killed amid its load."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab_node.backup import backup, databases, packets, repository, schedule
from lab_node.backup.backup import State
from lab_node.backup.command import Failed
from lab_node.backup.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab_node.backup.session import Session

ADDRESS, USUAL = "10.90.0.51", 16 << 20


class Primary:
    """A server that has a limit, and the session of it; one that is down refuses."""

    def __init__(self) -> None:
        self.limit, self.up = USUAL, True

    def rows(self, statement: str) -> list[list[str]]:
        if statement.startswith("SET GLOBAL max_allowed_packet"):
            self.limit = int(statement.rpartition("=")[2])
            return []
        return [[str(self.limit)]]

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        if not self.up:
            raise Failed("the database can't be asked")
        yield cast("Session", self)


@pytest.fixture
def primary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Primary:
    """The server behind every address; nothing else is due."""
    server = Primary()
    monkeypatch.setattr(packets, "RAISED", tmp_path / "packets.json")
    monkeypatch.setattr(databases, "writer", lambda _: server)
    monkeypatch.setattr(repository, "RUN", tmp_path)
    monkeypatch.setattr(repository, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(repository, "REPOSITORY", tmp_path)
    monkeypatch.setattr(backup, "state", lambda: State(began=2e9))
    monkeypatch.setattr(schedule, "due", lambda *_: False)
    return server


def _config(*addresses: str) -> Settings:
    nodes = {f"mysql{number}": address for number, address in enumerate(addresses, start=1)}
    empty: dict[str, Any] = {"keep": {}, "binaries": {}, "sites": {}}
    return Settings(
        node="backup1", volumes=[], database="", replicas_port=0, nodes=nodes, archive=True, every=3600.0, **empty
    )


def test_the_limit_is_raised_while_a_restore_loads(primary: Primary) -> None:
    with packets.raised(ADDRESS, cast("Session", primary)):
        assert primary.limit == databases.PACKET_BYTES
    assert primary.limit == USUAL
    assert not packets.RAISED.exists()


def _leave(primary: Primary) -> None:
    """What a restore leaves that is killed amid its load."""
    primary.limit = databases.PACKET_BYTES
    packets.RAISED.write_text(f'{{"address": "{ADDRESS}", "before": {USUAL}}}')


def test_a_killed_restore_s_limit_is_put_back_once_the_server_answers(primary: Primary) -> None:
    _leave(primary)
    primary.up = False
    schedule.look(_config(ADDRESS))
    assert packets.RAISED.exists()
    primary.up = True
    schedule.look(_config(ADDRESS))
    assert primary.limit == USUAL
    assert not packets.RAISED.exists()


def test_a_restore_that_runs_keeps_its_limit(primary: Primary) -> None:
    _leave(primary)
    with repository.held():
        schedule.look(_config(ADDRESS))
    assert primary.limit == databases.PACKET_BYTES


def test_a_node_that_was_removed_is_forgotten(primary: Primary) -> None:
    _leave(primary)
    primary.up = False
    schedule.look(_config("10.90.0.52"))
    assert not packets.RAISED.exists()
