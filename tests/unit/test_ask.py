"""What the load generator asks and writes down, without libcurl, which only the client node has."""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab_node import database_url
from lab_node.ask.picture import picture
from lab_node.ask.rows import Answer, row, stall
from lab_node.ask.turns import Turns

if TYPE_CHECKING:
    from pathlib import Path

BEGUN = 100.0


def test_each_stream_is_asked_at_its_own_rate() -> None:
    turns = Turns([2.0, 1.0], BEGUN)
    assert turns.next == BEGUN
    assert list(turns.due(BEGUN - 0.1)) == []
    assert list(turns.due(BEGUN)) == [(0, BEGUN), (1, BEGUN)]
    assert turns.next == BEGUN + 0.5
    assert list(turns.due(BEGUN + 1.2)) == [(0, BEGUN + 0.5), (0, BEGUN + 1), (1, BEGUN + 1)]


def test_what_was_held_up_is_asked_with_the_moment_at_which_it_was_due() -> None:
    turns = Turns([10.0], BEGUN)
    assert len(list(turns.due(BEGUN + 0.35))) == 4
    late = [due for _, due in turns.due(BEGUN + 3)]
    assert late == pytest.approx([BEGUN + number / 10 for number in range(4, 31)])


def test_a_question_that_ends_the_asking_is_the_last() -> None:
    turns = Turns([10.0, 10.0], BEGUN)
    first = next(turns.due(BEGUN))
    assert (first, next(turns.due(BEGUN))) == ((0, BEGUN), (1, BEGUN))


@given(rates=st.lists(st.floats(0.1, 1000), min_size=1, max_size=5), looks=st.lists(st.floats(0, 0.5), max_size=20))
def test_no_question_is_left_out_or_asked_twice(rates: list[float], looks: list[float]) -> None:
    """However irregularly it is looked."""
    turns, now = Turns(rates, BEGUN), BEGUN
    asked: list[list[float]] = [[] for _ in rates]
    for pause in looks:
        now += pause
        for index, due in turns.due(now):
            assert due <= now
            asked[index].append(due)
        assert turns.next > now
    for rate, moments in zip(rates, asked, strict=True):
        assert moments == [BEGUN + number / rate for number in range(len(moments))]
        assert not looks or BEGUN + len(moments) / rate > now


def test_a_row_counts_microseconds_from_the_beginning() -> None:
    answer = Answer(1, 7, BEGUN + 0.5, 0.0123456, 200, 'a "node"', "")
    assert json.loads(row(answer, BEGUN)) == [1, 7, 500000, 12346, 200, 'a "node"', ""]
    assert row(answer, BEGUN).endswith("]\n")
    assert json.loads(stall(BEGUN + 2, 0.25, BEGUN)) == [2000000, 250000]


def test_each_picture_is_a_png_of_its_own() -> None:
    said = picture("text=x", 3)
    assert said != picture("text=x", 4)
    assert said[:8] == b"\x89PNG\r\n\x1a\n"
    kinds, rest = [], said[8:]
    while rest:
        (size,) = struct.unpack(">I", rest[:4])
        body, checksum = rest[4 : 8 + size], rest[8 + size : 12 + size]
        assert struct.unpack(">I", checksum) == (zlib.crc32(body),)
        kinds.append(body[:4])
        rest = rest[12 + size :]
    assert kinds == [b"IHDR", b"tEXt", b"IDAT", b"IEND"]


def test_a_database_is_found_by_its_url(ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_url, "PASSWORDS", tmp_path)
    (tmp_path / "evidence").write_text("hidden\n")
    found = database_url.place("mysql://evidence@10.90.0.10:3306/lab_evidence", str(ca_file), 1.5)
    assert found["ssl"].verify_mode.name == "CERT_REQUIRED"
    assert found["ssl"].check_hostname
    del found["ssl"]
    assert found == {
        "host": "10.90.0.10", "port": 3306, "user": "evidence", "database": "lab_evidence", "password": "hidden",
        "connect_timeout": 1.5, "read_timeout": 1.5, "write_timeout": 1.5, "autocommit": True,
    }  # fmt: skip


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    import trustme

    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path
