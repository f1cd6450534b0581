"""What a replica says again to a primary whose commit waits."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any, Self, cast

import pytest

from tests.unit.mysql_replica import PATIENCE

from lab_node.keeper import acknowledging  # isort: skip  after the libraries that stand in


class Primary:
    """A connection that keeps what it is asked."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def cursor(self) -> Primary:
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def execute(self, _: str) -> None: ...

    def close(self) -> None: ...

    def _execute_command(self, _: object, request: bytes) -> None:
        self.requests.append(request)

    def _read_packet(self) -> None: ...


@pytest.mark.parametrize(
    ("place", "told"), [(4, 4), (2**32 - 1, 2**32 - 1), (2**32, 2**32 - 1), (5 * 2**30, 2**32 - 1)]
)
def test_a_position_is_told_as_far_as_a_request_can(monkeypatch: pytest.MonkeyPatch, place: int, told: int) -> None:
    """A transaction of more than 4 GiB is in one file; the keeper and its database go on."""
    primary = Primary()
    monkeypatch.setattr(acknowledging, "pymysql", SimpleNamespace(connect=lambda **_: primary))
    monkeypatch.setattr(acknowledging, "COMMAND", SimpleNamespace(COM_BINLOG_DUMP=0x12))
    settings = cast("Any", SimpleNamespace(replication_password="", server_id=2, patience=PATIENCE))
    acknowledging.again(settings, "10.90.0.51", {"Master_Log_File": "binlog.000007", "Read_Master_Log_Pos": place})
    (request,) = primary.requests
    assert struct.unpack("<IHI", request[:10])[0] == told
    assert request[10:] == b"binlog.000007"
