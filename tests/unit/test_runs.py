"""What is kept of runs, and how it is read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from lab.backends.memory import MemoryBackend
from lab.chaos.record import Record
from lab.evidence.checks import judged
from lab.evidence.ledger import Operation, Outcome
from lab.evidence.promises import promise
from lab.topology import parse
from tests.unit.command import lab
from tests.unit.conftest import FULL
from tests.unit.run_data import BEGUN, VERSIONS, happened, load, rows, seen

if TYPE_CHECKING:
    from pathlib import Path

SPEC = parse(FULL)
DIED = rows(lambda at: None if 5.1 <= at < 12.4 else "ok")


def _kept(folder: Path, name: str, *, fails: bool) -> Path:
    pool = rows(lambda at: f"web1={0 if 6.5 <= at < 13 else 1} web2=1 ")
    answers = load(lambda at: fails and 5 < at < 6)
    run = seen({"web1": DIED, "http-lb1": pool, "site": rows(lambda _: "ok")}, [happened("kill", "web1")], answers)
    record = Record.begin(folder, name, 7, {"summary": "a run", "versions": VERSIONS}, 10)
    names = ("web-node-dies", "web-node-leaves", "vip-moves")
    results = [judged(promise(one), promise(one).bound(SPEC), run) for one in names]
    writes = [Operation("run-1", BEGUN + 1, BEGUN + 1.1, Outcome.ACKNOWLEDGED, "201")]
    record.keep(run, results, {"guestbook": writes}, MemoryBackend("golden"), SPEC)
    return record.folder


def test_a_run_is_a_folder_that_needs_no_lab_to_be_read(tmp_path: Path) -> None:
    kept = _kept(tmp_path, "good", fails=False)
    suite = ET.fromstring((kept / "junit.xml").read_text(encoding="utf-8"))  # noqa: S314  our own file
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "0", "1")
    assert suite.find("testcase[@name='vip-moves']/error") is not None
    told = json.loads((kept / "results.json").read_text(encoding="utf-8"))
    assert (told["seed"], told["holds"]) == (7, False), "unknown is no success"
    history = [json.loads(line) for line in (kept / "history.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(row["process"], row["type"]) for row in history] == [
        ("guestbook", "invoke"),
        ("guestbook", "ok"),
        ("faults", "invoke"),
        ("faults", "ok"),
    ]
    happenings = [json.loads(line) for line in (kept / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["at"] for row in happenings] == sorted(row["at"] for row in happenings)
    assert any(row["node"] == "web1" and row["what"].startswith("answers again") for row in happenings)
    secrets = (kept / "rendered/http-lb1/etc/lab/site.pem").read_text(encoding="utf-8")
    assert secrets.startswith("<secret ")


def test_runs_are_listed_shown_and_compared(tmp_path: Path) -> None:
    good, bad = _kept(tmp_path, "good", fails=False), _kept(tmp_path, "bad", fails=True)
    (tmp_path / "20990101T000000Z-broken").mkdir()
    (tmp_path / "20990101T000000Z-broken/run.json").write_text("{}", encoding="utf-8")
    where = ("--runs", str(tmp_path))
    listed = lab("runs", "list", *where).stdout
    assert good.name in listed
    assert "50 of 1000 failed" in " ".join(listed.split()) or "49 of 1000 failed" in " ".join(listed.split())
    assert "not finished" in listed
    assert "web-node-leaves" in lab("runs", "show", "good", *where).stdout
    compared = " ".join(lab("runs", "compare", "good", "bad", *where).stdout.split())
    assert "99 % answered in" in compared
    assert "broken:" in compared
    assert bad.name[:16] in compared


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nothing"), "0 runs match 'nothing'"),
        (("show", "broken"), "was not completed"),
        (("compare", "good", "nothing"), "0 runs match"),
    ],
)
def test_a_run_that_is_not_there_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    _kept(tmp_path, "good", fails=False)
    (tmp_path / "20990101T000000Z-broken").mkdir()
    (tmp_path / "20990101T000000Z-broken/run.json").write_text("{}", encoding="utf-8")
    done = lab("runs", *arguments, "--runs", str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr


def test_without_runs_it_says_how_to_make_one(tmp_path: Path) -> None:
    done = lab("runs", "show", "--runs", str(tmp_path))
    assert (done.returncode, "lab chaos run web-node-dies" in done.stderr) == (2, True)
