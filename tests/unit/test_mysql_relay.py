"""Logs on disk: relay logs, read for where what was applied ends (whole, torn, damaged); a binary log's end."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest

from lab_node.keeper import relay

if TYPE_CHECKING:
    from pathlib import Path


def _event(kind: int, body: bytes) -> bytes:
    event = struct.pack("<IBIIIH", 0, kind, 1, 19 + len(body) + 4, 0, 0) + body
    return event + struct.pack("<I", zlib.crc32(event))


FORMAT = _event(relay.FORMAT, b"\x04\x00" + bytes(70) + bytes([relay.CRC32]))


def _group(number: int, text: bytes = b"row") -> bytes:
    gtid = _event(relay.GTID, struct.pack("<QIB", number, 0, 0) + bytes(6))
    return gtid + _event(23, text) + _event(relay.XID, bytes(8))


def _statement(number: int) -> bytes:
    gtid = _event(relay.GTID, struct.pack("<QIB", number, 0, relay.STANDALONE) + bytes(6))
    return gtid + _event(relay.QUERY, b"....\x00CREATE TABLE a.b (id INT) COMMENT 'COMMIT\r\n'")


def _file(folder: Path, name: str, *events: bytes) -> Path:
    path = folder / name
    path.write_bytes(relay.MAGIC + FORMAT + b"".join(events))
    return path


def test_applying_goes_on_behind_what_was_applied(tmp_path: Path) -> None:
    one = _file(tmp_path, "relay.000001", _group(11), _statement(12))
    two = _file(tmp_path, "relay.000002", _group(13, bytes(3 << 20)))
    place = len(relay.MAGIC + FORMAT + _group(11))
    assert relay.received([one, two], 10) == relay.Received("relay.000001", len(relay.MAGIC + FORMAT), 13)
    assert relay.received([one, two], 11) == relay.Received("relay.000001", place, 13)
    assert relay.received([one, two], 12) == relay.Received("relay.000002", len(relay.MAGIC + FORMAT), 13)
    assert not relay.received([one, two], 13).file


def test_what_was_not_received_whole_is_not_applied(tmp_path: Path) -> None:
    whole = len(relay.MAGIC + FORMAT + _group(11))
    for length in (1, 18, 19, 40, len(_group(12)) - 1):
        cut = _file(tmp_path, "relay.000001", _group(11), _group(12)[:length])
        found = relay.received([cut], 10)
        assert (found.last, found.torn) == (11, ("relay.000001", whole)), length


def test_a_group_may_lie_in_several_files(tmp_path: Path) -> None:
    gtid, rows, end = _group(12)[:GTID_BYTES], _group(12)[GTID_BYTES:ROWS_END], _group(12)[ROWS_END:]
    files = [_file(tmp_path, "relay.000001", _group(11), gtid), _file(tmp_path, "relay.000002", rows)]
    begin = ("relay.000001", FIRST + len(_group(11)))
    for length in range(len(end)):
        found = relay.received([*files, _file(tmp_path, "relay.000003", end[:length])], 10)
        assert (found.last, found.torn) == (11, begin), length
    found = relay.received([*files, _file(tmp_path, "relay.000003", end, _group(13))], 11)
    assert found == relay.Received(*begin, 13)


def test_each_changed_bit_is_found(tmp_path: Path) -> None:
    text = _file(tmp_path, "relay.000001", _group(11), _statement(12)).read_bytes()
    for place in range(len(relay.MAGIC + FORMAT) + 19, len(text) - 4, 7):
        damaged = bytearray(text)
        damaged[place] ^= 1
        (tmp_path / "relay.000002").write_bytes(damaged)
        with pytest.raises(relay.Damaged):
            relay.received([tmp_path / "relay.000002", _file(tmp_path, "relay.000003", _group(13))], 10)


def test_the_end_of_a_prepared_transaction_ends_its_group(tmp_path: Path) -> None:
    gtid = _event(relay.GTID, struct.pack("<QIB", 12, 0, 0) + bytes(6))
    log = _file(tmp_path, "relay.000001", _group(11), gtid, _event(relay.QUERY, b"...\x00XA COMMIT X'6f',X'',1"))
    assert relay.received([log], 11).last == 12


ROTATE, CHECKPOINT = _event(4, bytes(8) + b"binlog.000003"), _event(161, b"\x0d\0\0\0binlog.000002")
FIRST = len(relay.MAGIC + FORMAT)
GTID_BYTES = len(_group(12)) - len(_event(23, b"row") + _event(relay.XID, bytes(8)))
ROWS_END = len(_group(12)) - len(_event(relay.XID, bytes(8)))


@pytest.mark.parametrize("before", [b"", _group(11), _statement(11), _group(11) + CHECKPOINT], ids=len)
def test_a_log_is_ended_before_the_group_that_is_cut_off(tmp_path: Path, before: bytes) -> None:
    for length in range(1, len(_group(12))):
        cut = _group(12)[:length]
        for tail in (b"", bytes(50)) if length in {GTID_BYTES, ROWS_END} else (b"",):
            found = relay.cut_off(_file(tmp_path, "binlog.000001", before, cut + tail))
            assert found == FIRST + len(before), (length, tail)


def _query(text: bytes) -> bytes:
    return _event(relay.QUERY, b"....\x00" + text)


BEGIN = _event(relay.GTID, struct.pack("<QIB", 12, 0, 0) + bytes(6))
ROWS = _event(23, b"row")


@pytest.mark.parametrize(
    "events",
    [
        (_query(b"CREATE TABLE a.b (id INT)"), ROWS, _event(relay.XID, bytes(8))),
        (_query(b"XA START X'6f',X'',1"), ROWS, _query(b"XA END X'6f',X'',1"), _event(relay.XA_PREPARE, bytes(9))),
        (ROWS, _query(b"SAVEPOINT `one`"), ROWS, _query(b"COMMIT")),
        (_query(b"XA COMMIT X'6f',X'',1"),),
    ],
    ids=["create-select", "xa", "savepoint", "xa-commit"],
)
def test_a_statement_amid_a_group_does_not_end_it(tmp_path: Path, events: tuple[bytes, ...]) -> None:
    for count in range(len(events)):
        for tail in (b"", bytes(50), events[count][:25]):
            log = _file(tmp_path, "binlog.000001", _group(11), BEGIN, *events[:count], tail)
            assert relay.cut_off(log) == FIRST + len(_group(11)), (count, tail)
    assert relay.cut_off(_file(tmp_path, "binlog.000001", _group(11), BEGIN, *events)) is None


@pytest.mark.parametrize("last", [ROTATE, CHECKPOINT, _event(3, b"")], ids=["rotate", "checkpoint", "stop"])
def test_what_is_cut_off_outside_of_a_group_takes_none_with_it(tmp_path: Path, last: bytes) -> None:
    for length in range(1, len(last)):
        log = _file(tmp_path, "binlog.000001", _group(11), last[:length])
        assert relay.cut_off(log) == FIRST + len(_group(11)), length


def test_zeros_are_removed(tmp_path: Path) -> None:
    """A file system may leave them after a loss of power."""
    for length in (1, 19, 40):
        log = _file(tmp_path, "binlog.000001", _group(11), bytes(length))
        assert relay.cut_off(log) == FIRST + len(_group(11))


def test_a_group_of_one_compressed_statement_is_whole(tmp_path: Path) -> None:
    gtid = _event(relay.GTID, struct.pack("<QIB", 12, 0, relay.STANDALONE) + bytes(6))
    log = _file(tmp_path, "binlog.000001", _group(11), gtid, _event(relay.COMPRESSED_QUERY, b"..\x00..."))
    assert relay.cut_off(log) is None
    assert relay.received([log], 11).last == 12


def test_a_log_of_whole_groups_or_with_an_unreadable_head_is_left_alone(tmp_path: Path) -> None:
    short = struct.pack("<IBIIIH", 1, relay.GTID, 1, 5, 0, 0)
    for events in ((), (_group(11),), (_statement(11), ROTATE), (_group(11), short)):
        assert relay.cut_off(_file(tmp_path, "binlog.000001", *events)) is None
