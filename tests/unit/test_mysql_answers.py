"""Answers of mariadbd that are the same as the last time are not parsed again."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab_node.keeper import answers

END = b"\xfe\x00\x00\x02\x00"


def _answer(*contents: bytes) -> bytes:
    return b"".join(
        len(content).to_bytes(3, "little") + bytes([number]) + content for number, content in enumerate(contents, 1)
    )


def _table(*rows: bytes) -> bytes:
    return _answer(b"\x01", b"the column", END, *rows, END)


class Pieces(io.RawIOBase):
    """What a socket gives: never more than one of the parts at once, nor more than some bytes."""

    def __init__(self, parts: list[bytes], at_once: int) -> None:
        self._parts, self._at_once = [part for part in parts if part], at_once

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  as in `io`
        """The next ones."""
        if not self._parts:
            return 0
        part = self._parts.pop(0)
        piece, rest = part[: self._at_once], part[self._at_once :]
        self._parts[:0] = [rest] if rest else []
        buffer[: len(piece)] = piece
        return len(piece)


class Connection:
    """As PyMySQL's: what it parses is noted."""

    def __init__(self, *said: bytes, at_once: int = 1 << 13) -> None:
        self._rfile: Any = io.BufferedReader(cast("io.RawIOBase", Pieces(list(said), at_once)))
        self._result = SimpleNamespace(description=None, rows=None)
        self.asked: list[tuple[int, str]] = []
        self.parsed: list[bytes] = []
        self.fails: Exception | None = None

    def _execute_command(self, command: int, statement: str) -> None:
        self.asked.append((command, statement))

    def _read_query_result(self) -> None:
        self.parsed.append(self._rfile.read())
        if self.fails:
            raise self.fails
        self._result = SimpleNamespace(description=(("value", 253),), rows=((len(self.parsed),),))

    def rest(self) -> bytes:
        """What was not read."""
        return bytes(self._rfile.read())


@pytest.mark.parametrize("at_once", [1 << 13, 7, 1], ids=["whole", "in pieces", "by bytes"])
def test_an_equal_answer_is_parsed_once_for_each_statement(at_once: int) -> None:
    first, second = _table(b"\x011"), _table(b"\x012")
    connection, known = Connection(first, second, first, second, second, at_once=at_once), answers.Known()
    said = [known.rows(connection, statement) for statement in ("a", "b", "a", "b", "a")]
    assert [rows[0]["value"] for rows in said] == [1, 2, 1, 2, 3]
    assert connection.parsed == [first, second, second]
    assert connection.asked[:2] == [(3, "a"), (3, "b")]
    assert connection.rest() == b""


@pytest.mark.parametrize(
    "answer",
    [
        _answer(b"\x00\x00\x00\x02\x00\x00\x00"),
        _answer(b"\xff\x15\x04#28000no"),
        _answer(b"\x01", b"the column", END, b"\xff\x15\x04#28000no"),
        _table(),
        _table(b"", b"\xfb", b"\xfe\x01\x00\x00\x00\x00\x00\x00\x00x", b"\xfe\xfe\xfe\xfe\xfe\xfe"),
    ],
)
def test_an_answer_is_taken_whole_and_nothing_after_it(answer: bytes) -> None:
    connection = Connection(answer, b"next")
    answers.Known().rows(connection, "a")
    assert connection.parsed == [answer]
    assert connection.rest() == b"next"


def test_an_answer_that_begins_as_the_last_one_is_another() -> None:
    short, long = _table(b"\x011"), _table(b"\x011", b"\x011")
    connection, known = Connection(short, long, short), answers.Known()
    for answer in (short, long, short):
        known.rows(connection, "a")
        assert connection.parsed[-1] == answer


def test_an_error_is_not_remembered() -> None:
    wrong = _answer(b"\xff\x15\x04#28000no")
    connection, known = Connection(wrong, wrong), answers.Known()
    connection.fails = LookupError()
    for _ in range(2):
        with pytest.raises(LookupError):
            known.rows(connection, "a")
    assert connection.parsed == [wrong, wrong]


@pytest.mark.parametrize("length", [0, 2, 4, 5, 30])
def test_a_connection_that_ends_is_an_error(length: int) -> None:
    with pytest.raises(ConnectionError):
        answers.Known().rows(Connection(_table(b"\x011")[:length]), "a")
