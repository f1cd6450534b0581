"""Logs as they lie on a node's disk: relay logs, read for what was applied and what is whole; the binary log's end.

Only the frames of events are looked at, and their checksums; what they mean is the server's business.
"""

from __future__ import annotations

import mmap
import re
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAGIC = b"\xfebin"
HEADER = struct.Struct("<IBIIIH")  # time, type, server, length, next place, flags
QUERY, XID, FORMAT, XA_PREPARE, GTID, COMPRESSED_QUERY = 2, 16, 15, 38, 162, 165
KIND_AT = 4  # in an event
# Queries, rows and what goes before them, also compressed. Other events begin a group, or are outside of one.
IN_GROUP = frozenset({QUERY, 5, 13, 14, XID, 17, 18, 19, 23, 24, 25, XA_PREPARE, 160, *range(165, 172)})
STATEMENTS = (QUERY, COMPRESSED_QUERY)
STANDALONE, FLAGS_AT = 1, 12  # a flag of GTID, and its byte: the group is the one event that follows
CRC32, CHECKSUM_BYTES = 1, 4
LEAST = {FORMAT: CHECKSUM_BYTES + 1, GTID: 13}  # bytes that are read of such an event
PIECE = 1 << 20
TEXT_BYTES = 600  # more than the longest XA COMMIT
CLOSED, OPEN, ONE_STATEMENT = range(3)  # of a group: whole, begun, or begun and ended by the next statement
ENDS = re.compile(rb"\x00(COMMIT|ROLLBACK|XA (COMMIT|ROLLBACK) [^\x00]*)$")


class Damaged(Exception):
    """An event is not as it was written."""


@dataclass(frozen=True)
class Event:
    """`after`: where the next one begins; `flags`: of a GTID; `ends`: whether it closes a group begun before."""

    kind: int
    place: int
    after: int
    number: int = 0
    flags: int = 0
    ends: bool = False


@dataclass(frozen=True)
class Received:
    """Where to continue: file and position of the first unapplied group, and the number of the last complete one.

    `torn`: file and position of an incomplete group, which was never acknowledged.
    """

    file: str = ""
    place: int = 0
    last: int = 0
    torn: tuple[str, int] | None = None


def received(files: list[Path], applied: int) -> Received:
    """What relay logs hold behind the transaction `applied`.

    Raises:
        Damaged: a checksum is wrong, or an event is cut off before the end of the last group.
    """
    file, place, last = "", 0, 0
    begun: tuple[str, int, int, bool] | None = None  # file, place, number, whether the next event is all of it
    cut: tuple[str, int] | None = None
    for path in files:
        for event in events(path):
            if cut:
                raise Damaged(f"{cut[0]}: an event is cut off at {cut[1]}, and others follow")
            if event.kind < 0:
                cut = (path.name, event.place)
            elif event.kind == GTID:
                begun = (path.name, event.place, event.number, bool(event.flags & STANDALONE))
            elif begun and (event.ends or (begun[3] and event.kind in STATEMENTS)):
                if begun[2] > applied:
                    file, place = (file, place) if file else begun[:2]
                    last = begun[2]
                begun = None
    return Received(file, place, last, (begun[0], begun[1]) if begun else cut)


def cut_off(path: Path) -> int | None:
    """Where to end a log that ends amid a group: before that. None where its last group is whole, or can't be read.

    Only heads are read: a binary log may have a gigabyte. After a loss of power the end of a file may be zeros.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as log:
        place = group = len(MAGIC)
        size, state, sums = len(log), CLOSED, 0
        while place < size:
            kind = log[place + KIND_AT] if place + KIND_AT < size else 0
            if state == CLOSED or (kind and kind not in IN_GROUP):
                group = place
            if place + HEADER.size > size:
                return group
            length = HEADER.unpack_from(log, place)[3]
            if length < HEADER.size:
                return None if any(log[place : place + HEADER.size]) else group
            if place + length > size:
                return group
            body = log[max(place + HEADER.size, place + length - TEXT_BYTES) : place + length - sums]
            if len(body) < LEAST.get(kind, 0):
                return None
            if kind == FORMAT:
                sums = CHECKSUM_BYTES if body[-CHECKSUM_BYTES - 1] == CRC32 else 0
            place, state = place + length, _state_after(kind, body, state)
    return None if state == CLOSED else group


def _state_after(kind: int, body: bytes, state: int) -> int:
    """What an event makes of the group that it lies in; `body`: the last bytes of it, without the checksum."""
    if kind == GTID:
        return ONE_STATEMENT if body[FLAGS_AT] & STANDALONE else OPEN
    if kind not in IN_GROUP or _ends(kind, body) or (state == ONE_STATEMENT and kind in STATEMENTS):
        return CLOSED
    return state


def events(path: Path) -> Iterator[Event]:
    """The events of a file; one that is cut off at its end has the kind -1."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            return  # it was made, and nothing written yet
        place, checked = len(MAGIC), False
        while head := file.read(HEADER.size):
            if len(head) < HEADER.size:
                yield Event(-1, place, place)
                return
            _, kind, _, length, _, flags = HEADER.unpack(head)
            if length < HEADER.size:
                raise Damaged(f"{path.name}: an event at {place} is shorter than its header")
            body, summed, left = _body(file, kind, length - HEADER.size, zlib.crc32(_as_written(head, kind, flags)))
            if left:
                yield Event(-1, place, place)
                return
            if len(body) < LEAST.get(kind, 0):
                raise Damaged(f"{path.name}: the event at {place} is too short for its kind")
            if kind == FORMAT:
                checked = body[-CHECKSUM_BYTES - 1] == CRC32
            if checked and summed != int.from_bytes(body[-CHECKSUM_BYTES:], "little"):
                raise Damaged(f"{path.name}: the checksum of the event at {place} is wrong")
            yield _event(kind, place, place + length, body[: -CHECKSUM_BYTES if checked else None])
            place += length


def _as_written(head: bytes, kind: int, flags: int) -> bytes:
    # A file that is in use has a flag in its first event that the checksum leaves out.
    return head[:-2] + struct.pack("<H", flags & ~1) if kind == FORMAT else head


def _body(file: BinaryIO, kind: int, length: int, summed: int) -> tuple[bytes, int, int]:
    """The first and last bytes of an event, its checksum, and how much is missing; rows are not kept in memory."""
    data, left = b"", length
    whole = kind in (FORMAT, GTID, XID, XA_PREPARE) or length <= PIECE
    while left and (piece := file.read(min(PIECE, left))):
        left -= len(piece)
        data = data + piece if whole else (data[-CHECKSUM_BYTES:] + piece)[-PIECE - CHECKSUM_BYTES :]
        over = max(0, CHECKSUM_BYTES - left)  # of this piece, what belongs to the checksum
        summed = zlib.crc32(piece[: max(0, len(piece) - over)], summed)
    return data, summed, left


def _event(kind: int, place: int, after: int, body: bytes) -> Event:
    if kind == GTID:
        return Event(kind, place, after, int.from_bytes(body[:8], "little"), body[FLAGS_AT])
    return Event(kind, place, after, ends=_ends(kind, body[-TEXT_BYTES:]))


def _ends(kind: int, text: bytes) -> bool:
    """Whether an event ends a group of several; `text`: the last bytes of it, without the checksum."""
    return kind in (XID, XA_PREPARE) or bool(kind == QUERY and ENDS.search(text))
