"""Scenarios from the command line on a real cluster: verdicts, exit codes, what is kept, and what is refused."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from lab.evidence import Register, Verdict
from lab.evidence.linear import RegisterAnswer, linearizable
from lab.faults import present, targets
from lab.testing.rounds import repeated
from tests.browser import NAMES, bands, opened
from tests.cluster.commands import completed
from tests.markers import WEB

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster
pytestmark = pytest.mark.smaller("the web tier is all it needs", topology=WEB)

LAB = str(Path(sys.executable).with_name("lab"))
RUN_SECONDS = 300.0
BROKEN = """
summary: All web nodes die at once, which nothing can answer.
load: {rate: 30}
for: 7s
faults:
  - {at: 2s, for: 3s, kill: web}
promises: [web-node-dies, cluster-heals]
"""
LONG = BROKEN.replace("for: 7s", "for: 60s")
"""The same, to be interrupted."""
IDLE = """
for: 4s
faults:
  - {at: 1s, for: 2s, freeze: client, service: haproxy}
promises: [web-node-dies]
"""


class Player:
    """Plays scenarios on the tests' cluster, in a folder of its own."""

    def __init__(self, cluster: LabCluster, folder: Path, topology: str) -> None:
        self.folder, self._clock = folder, cluster.clock
        self._which = ["--name", cluster.spec.name, "--backend", cluster.backend.name, "--file", topology]

    def argv(self, scenario: str, *more: str) -> list[str]:
        """The command that plays a scenario: the name of one that ships, or the text of one."""
        name = scenario
        if "\n" in scenario:
            path = self.folder / "own.yaml"
            path.write_text(scenario, encoding="utf-8")
            name = str(path)
        return [LAB, "chaos", "run", name, "--runs", str(self.folder / "runs"), *self._which, *more]

    def __call__(self, scenario: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Plays it to its end."""
        return completed(self._clock, self.argv(scenario, *more), RUN_SECONDS)

    def kept(self) -> Path:
        """The newest run's folder."""
        return max((self.folder / "runs").iterdir())


@pytest.fixture
def play(cluster: LabCluster, tmp_path: Path, request: pytest.FixtureRequest) -> Player:
    """Plays scenarios on the tests' cluster."""
    return Player(cluster, tmp_path, request.config.getoption("--topology"))


def _played(play: Player) -> tuple[subprocess.CompletedProcess[str], Path, dict[str, Any]]:
    done = play("web-node-dies", "--seed", "7")
    kept = play.kept()
    return done, kept, json.loads((kept / "results.json").read_text())


def _hidden(played: tuple[subprocess.CompletedProcess[str], Path, dict[str, Any]]) -> str:
    """The output of a run in which stalls hid promises, and all others hold; else empty."""
    done, _, told = played
    open_ = [one for one in told["promises"] if one["result"] != "holds"]
    return done.stdout if open_ and all(one["excused"] for one in open_) else ""


def test_a_scenario_is_played_judged_and_kept(cluster: LabCluster, play: Player) -> None:
    cluster.require("web", 2)
    done, kept, told = repeated(cluster.clock, partial(_played, play), _hidden)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "seed 7" in done.stderr
    assert {one["promise"]: one["result"] for one in told["promises"]} == {
        "web-node-dies": "holds",
        "web-node-leaves": "holds",
        "web-node-returns": "holds",
        "cluster-heals": "holds",
    }
    out = next(one for one in told["promises"] if one["promise"] == "web-node-leaves")
    assert out["bound"] == cluster.bound("web-node-leaves")
    assert 0.3 < out["seconds"] <= out["allowed"]
    suite = ET.fromstring((kept / "junit.xml").read_text())  # noqa: S314  our own file
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "0", "0")
    happened = [json.loads(line) for line in (kept / "events.jsonl").read_text().splitlines()]
    said = [event["what"] for event in happened if event["node"] == "web1"]
    # A probe that was on its way when the node died was due before: its outage may begin before the fault.
    reverted = said.index("reverting: kill web1")
    assert any(what.startswith("no answer") for what in said[:reverted]), said
    # Of the probe and the balancer, the one whose process stalls meanwhile sees the node later.
    assert any(what.startswith("answers again") for what in said[reverted:]), said
    order = ["fault: kill web1", "out of the pool", "reverting", "in the pool"]
    later = iter(said)
    assert all(any(what.startswith(part) for what in later) for part in order), said
    assert (kept / "rendered/http-lb1/etc/lab/haproxy.cfg").read_text() == _masked(cluster, "http-lb1")
    assert "httpd" in (kept / "logs/web2.log").read_text()
    assert len((kept / "requests.csv").read_text().splitlines()) == told["requests"]["count"] + 1
    _drawn(kept, told)
    assert not present(cluster.backend)
    shown = subprocess.run(
        [LAB, "runs", "show", "--runs", str(play.folder / "runs")], capture_output=True, text=True, check=True
    )
    assert "web-node-leaves" in shown.stdout


def _drawn(kept: Path, told: dict[str, Any]) -> None:
    """The page of a real run in a real browser, where there is one: the fault's band is where the fault was."""
    if not any(map(shutil.which, NAMES)):
        return
    (fault,) = told["faults"]
    with opened(kept / "report.html") as shown:
        assert shown.errors == []
        for plot in ("times", "rates", "served", "answers", "vip", "pools"):
            left, right = bands(shown.page, plot)["kill web1"]
            assert (right - left) / left == pytest.approx(
                (fault["mended"] - fault["begun"]) / (fault["begun"] - told["begun"]), rel=0.02
            )


def _masked(cluster: LabCluster, node: str) -> str:
    return next(file.masked for file in cluster.plan.node(node).files if file.path == "/etc/lab/haproxy.cfg")


@pytest.mark.nightly(
    "twenty seconds: verdicts are unit tests; at every change a scenario holds, and a lost post and a program that"
    " forgets are found"
)
def test_a_promise_that_is_broken_is_said_and_the_cluster_is_whole(cluster: LabCluster, play: Player) -> None:
    done = play(BROKEN)
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads((play.kept() / "results.json").read_text())
    results = {one["promise"]: one["result"] for one in told["promises"]}
    assert results == {"web-node-dies": "broken", "cluster-heals": "holds"}
    assert told["requests"]["failed"] > 0
    assert cluster.status().ready


@pytest.mark.nightly("twenty seconds: the rule is a unit test, another run of a scenario is in make test")
def test_what_was_not_tested_is_unknown_and_no_success(play: Player) -> None:
    done = play(IDLE)
    assert done.returncode == 1
    told = json.loads((play.kept() / "results.json").read_text())
    assert [one["result"] for one in told["promises"]] == ["unknown"]


@pytest.mark.nightly(
    "a quarter of a minute: at every change Ctrl-C reverts a fault (test_faults.py), and of two commands at once one"
    " waits (test_command.py)"
)
def test_two_runs_on_one_cluster_and_an_interrupt(cluster: LabCluster, play: Player) -> None:
    argv = play.argv(LONG)
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as first:
        cluster.until("the first run's fault", 60, lambda: bool(present(cluster.backend)))
        second = play(BROKEN)
        first.send_signal(signal.SIGINT)
        assert first.wait(timeout=cluster.clock.guard(120)) == 130
    assert second.returncode == 2
    assert "busy with 'lab chaos run own'" in second.stderr
    assert not present(cluster.backend)
    assert cluster.status().ready


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("for: 5s\nfaults: [{at: 1s, for: 1s, kill: web9}]\npromises: [cluster-heals]\n", "no node or role 'web9'"),
        ("for: 5s\nfaults: [{at: 1s, for: 9s, kill: web1}]\npromises: [cluster-heals]\n", "after the scenario"),
    ],
    ids=["an unknown node", "a time after its end"],
)
@pytest.mark.read_only
def test_a_scenario_that_can_not_be_played_changes_nothing(play: Player, scenario: str, said: str) -> None:
    done = play(scenario)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (play.folder / "runs").exists()


@pytest.mark.read_only
def test_a_full_disk_under_runs_is_said_before_anything_is_broken(cluster: LabCluster, play: Player) -> None:
    if os.geteuid() != 0:
        pytest.skip("a small disk can be mounted by root only")
    small = play.folder / "runs"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(small)], check=True)
    try:
        done = play(BROKEN)
    finally:
        subprocess.run(["umount", str(small)], check=True)
    assert done.returncode == 2
    assert "MB of disk are free" in done.stderr
    assert cluster.status().ready


def test_the_guest_book_keeps_what_it_acknowledged(faults: Faults, ledger: Callable[..., Ledger]) -> None:
    with ledger("guestbook") as book:
        book.more(20)
        with faults.kill("web1"):
            book.more(20)
    (judgement,) = book.judge()
    assert judgement.verdict is Verdict.HOLDS, judgement
    assert sum(judgement.replicas.values()) >= judgement.counts["acknowledged"]


def _delete(cluster: LabCluster, message: str) -> None:
    """Takes a post away: from the database, or where there is none from every web node."""
    if cluster.plan.role("mysql"):
        (primary,) = targets(cluster.backend, "primary", random.Random(0))
        statement = f"DELETE FROM guestbook.posts WHERE message = '{message}'"  # noqa: S608
        assert cluster.backend.run(primary, ["mariadb", "--execute", statement]).ok
        return
    script = "import sqlite3, sys; d = sqlite3.connect('/var/lib/guestbook/posts.db'); "
    script += "d.execute('DELETE FROM posts WHERE message = ?', sys.argv[1:]); d.commit()"
    for node in cluster.plan.role("web"):
        assert cluster.backend.run(node.name, ["python3", "-c", script, message]).ok


@pytest.mark.read_only
def test_a_post_that_is_taken_away_is_found_lost(cluster: LabCluster, ledger: Callable[..., Ledger]) -> None:
    with ledger("guestbook") as book:
        book.more(30)
    gone = book.operations["guestbook"][5].id
    _delete(cluster, gone)
    (judgement,) = book.judge()
    assert (judgement.verdict, judgement.ids) == (Verdict.LOST, (gone,))


@pytest.mark.nightly(
    "seven seconds: at every change a brick dies under a register on the shared filesystem (test_storage.py), and one"
    " that two disks pretend to be is found out"
)
def test_a_register_on_one_disk_is_linearizable_though_its_node_dies(cluster: LabCluster, faults: Faults) -> None:
    with Register(cluster.backend, ["web1"], "/var/lib/guestbook", seed=3) as register:
        cluster.until("some use of it", 60, lambda: len(register.history) > 15)
        with faults.kill("web1"):
            pass
        before = len(register.history)
        cluster.until("more use", 60, lambda: len(register.history) > before + 15)
    assert linearizable(register.history) is RegisterAnswer.YES


@pytest.mark.read_only
def test_a_register_that_two_disks_pretend_to_be_is_not(cluster: LabCluster) -> None:
    """The checker finds a real fault: two nodes with disks of their own are no shared filesystem."""
    nodes = cluster.require("web", 2)[:2]
    with Register(cluster.backend, nodes, "/var/lib/guestbook", clients=2, seed=3) as register:
        cluster.until("some use of it", 60, lambda: len(register.history) > 80)
    assert linearizable(register.history) is RegisterAnswer.NO
