"""The nemesis of the MySQL cluster, on a small cluster of its own: rounds of faults by chance, every copy compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends import backend
from lab.lifecycle.down import down
from lab.lifecycle.resolve import timers
from lab.lifecycle.up import up
from lab.nemesis.play import Nemesis
from lab.nemesis.rounds import drawn
from lab.progress import Silent
from lab.testing.parity import UNKNOWN
from lab.testing.plugin import place
from lab.topology import find, load
from tests.cluster.sized import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.backends.base import Backend
    from lab.nemesis.play import RoundData

    Played = Callable[..., "Run"]

LAB = str(Path(sys.executable).with_name("lab"))
TOPOLOGIES = Path(__file__).parent / "topologies"
SEED = 13
KINDS = ("cut-all", "keeper-hangs", "kill-in-promotion")
"""Of the rounds in `make test` (docs/decisions/081): elections of all nodes, and a mild one for a planted fault."""
MILD = 688
"""Its rounds of these kinds: four seconds, then two of about one, of which the keeper's leaves the primary alone."""
ROUND_SECONDS, BEGIN_SECONDS = 30, 240
NODES = ("mysql1", "mysql2", "mysql3")
DISK = "8G"  # of each; a round leaves some 8 MB in each binary log


class Run:
    """A run from the command line, and what it kept."""

    def __init__(self, done: subprocess.CompletedProcess[str], folder: Path) -> None:
        self.code, self.said = done.returncode, done.stdout + done.stderr
        (self.kept,) = folder.iterdir()
        self.results = json.loads((self.kept / "results.json").read_text(encoding="utf-8"))
        lines = (self.kept / "rounds.jsonl").read_text(encoding="utf-8").splitlines()
        self.rounds = [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    """Plays on a cluster of its own, which is removed at the end; `--keep-cluster` leaves it."""
    option = request.config.getoption
    made: list[Backend] = []
    disks = ExitStack()

    def run(topology: str, folder: Path, rounds: int, *more: str) -> Run:
        name = f"labtest-{os.getpid()}-{topology}"
        if all(one.cluster != name for one in made):
            made.append(_backend(request, name))
            disks.enter_context(sized(made[-1], NODES, tmp_path_factory.mktemp("disks"), DISK))
        where = ["--name", name, "--file", str(TOPOLOGIES / f"{topology}.yaml"), "--backend", option("--backend")]
        argv = [LAB, "chaos", "run", "mysql-nemesis", "--rounds", str(rounds), "--runs", str(folder), *where, *more]
        limit = made[-1].clock.guard(rounds * ROUND_SECONDS + BEGIN_SECONDS)
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=limit)
        print(done.stdout, done.stderr)
        return Run(done, folder)

    with disks:
        yield run
        if not option("--keep-cluster"):
            for one in made:
                down(one, Silent(), volumes=True)


def _backend(request: pytest.FixtureRequest, name: str) -> Backend:
    """Where a second cluster has room beside that of the other tests."""
    made = backend(place(request.config), name)
    most = made.capabilities().max_nodes
    if most is not None:
        pytest.skip(f"{made.name} takes {most} nodes at once, which the cluster of the other tests may have")
    return made


def _holds(run: Run, rounds: int) -> None:
    if run.results["unknown"] and not run.results["failed"]:
        pytest.skip(UNKNOWN + run.results["unknown"][0]["unknown"])
    assert run.code == 0, run.said
    assert len({one["number"] for one in run.rounds}) == rounds
    assert {one["result"] for one in run.results["promises"]} == {"holds"}, run.results["promises"]
    everything = run.results["rounds"][-1]
    tested = everything["rounds"] - everything["unknown"]
    assert (everything["kind"], tested, everything["failed"]) == ("all", rounds, 0), "one that was unknown was repeated"
    assert everything["skipped"] < rounds / 10, "a run of skipped rounds shows nothing"
    assert all(one["acknowledged"] > 0 for one in run.rounds)


@pytest.mark.nightly("some five minutes: twenty-five rounds; at every change three, which find a planted fault")
def test_twenty_five_rounds_lose_nothing(small: Played, tmp_path: Path) -> None:
    run = small("nemesis", tmp_path, 25, "--seed", str(SEED))
    _holds(run, 25)
    kinds = json.loads((run.kept / "run.json").read_text(encoding="utf-8"))["kinds"]
    tested = [one["kind"] for one in run.rounds if not one["unknown"]]
    assert tested == [drawn(SEED, number, kinds).kind for number in range(1, 26)]
    assert {one["kind"] for one in run.rounds if not one["skipped"]} == set(kinds), "all kinds were played"
    assert (run.kept / "report.html").read_text(encoding="utf-8").count('id="rounds"') == 1


@pytest.mark.nightly("forty minutes: three hundred rounds")
def test_three_hundred_rounds_lose_nothing(small: Played, tmp_path: Path) -> None:
    _holds(small("nemesis", tmp_path, 300), 300)


@pytest.mark.nightly("half an hour: two hundred rounds with Galera, whose own cluster is made for it")
def test_two_hundred_rounds_of_galera_lose_nothing(small: Played, tmp_path: Path) -> None:
    _holds(small("nemesis-galera", tmp_path, 200), 200)


def test_a_row_that_one_replica_lost_by_somebodys_hand_is_found(request: pytest.FixtureRequest) -> None:
    """The checks find what they are for in real copies, and name the node."""
    spec = load(find(str(TOPOLOGIES / "nemesis.yaml")), name=f"labtest-{os.getpid()}-nemesis")
    made = _backend(request, spec.name)
    spec = timers(spec, made)
    plan = up(spec, made, Silent()).plan
    try:
        with Nemesis(spec, made, place(request.config), plan, Silent()) as nemesis:
            assert _played(nemesis, 1).played.failures == ()
            primary = nemesis.primary
            replica = next(node.name for node in plan.role("mysql") if node.name != primary)
            spoil = "DELETE FROM nemesis.ledger LIMIT 1; INSERT INTO nemesis.accounts VALUES (77, 5)"
            assert made.run(replica, ["mariadb", "--execute", f"SET sql_log_bin = 0; {spoil}"]).ok
            found = _played(nemesis, 2).played.failures
            nemesis.mend()
            last = _played(nemesis, 3)
            assert last.played.failures == (), "made whole, and with tables made anew"
            assert any("was killed while its role was" in note for note in last.notes), "the second node was killed too"
    finally:
        if not request.config.getoption("--keep-cluster"):
            down(made, Silent(), volumes=True)
    assert {one.check for one in found} >= {"sealed", "equal", "sum"}
    for said in (f"earlier rows in ledger of {replica}", f"accounts of {replica} have"):
        assert any(said in one.why for one in found), found


def _played(nemesis: Nemesis, number: int) -> RoundData:
    return nemesis.round(drawn(MILD, number, [KINDS[number - 1]]))
