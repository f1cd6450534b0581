"""Scenarios: those that ship, what follows from a seed, and every mistake that a person can make in one."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from lab import assets
from lab.chaos import find, load, schedule
from lab.chaos.record import Record
from lab.cli.main import app
from lab.errors import SpecError
from lab.evidence.promises import promises
from lab.plan import plan
from lab.topology import parse
from tests.unit.conftest import WHOLE

if TYPE_CHECKING:
    from lab.chaos import Scenario

ROOT = Path(__file__).parents[2]
PLAN = plan(parse(WHOLE), "debian")
NO_SCENARIO = {"storage-stalls"}  # until its check reads the ledger's times, a run could only say `unknown`
SHORT = "for: 20s\nfaults:\n  - {at: 5s, for: 5s, kill: web1}\npromises: [cluster-heals]\n"


def _read(tmp_path: Path, text: str) -> Scenario:
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


@pytest.mark.parametrize("path", assets.scenarios().values(), ids=assets.scenarios().keys())
def test_every_scenario_that_ships_is_valid_and_ends_whole(path: Path) -> None:
    made = load(path)
    assert made.summary
    planned = schedule(made, 7, PLAN)
    assert planned
    assert max(one.end or one.at for one in planned) <= made.span
    assert "cluster-heals" in made.promises


def test_every_promise_has_a_scenario_a_test_and_a_line_in_the_documentation() -> None:
    asked = {name for path in assets.scenarios().values() for name in load(path).promises}
    assert set(promises()) - NO_SCENARIO <= asked
    documented = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
    tests = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests/cluster").glob("test_*.py"))
    rows = {name: line for line in documented.splitlines() for name in re.findall(r"^\| `([a-z-]+)` \|", line)}
    assert set(rows) == set(promises())
    for name, one in promises().items():
        assert one.declared.says in rows[name]
        assert one.declared.event in rows[name]
        for test in re.findall(r"`(test_\w+)`", rows[name]):
            assert f"def {test}(" in tests, f"{name} names a test that is not there"
        assert re.search(r"`test_\w+`", rows[name]), f"{name} names no test"


def test_a_scenario_is_called_as_its_file(tmp_path: Path) -> None:
    made = _read(tmp_path, SHORT)
    assert (made.name, made.topology, made.load.rate) == ("mine", "full", 50)
    assert find("web-node-dies") == find("scenarios/web-node-dies.yaml")


MISTAKES = {
    "unknown fault": (SHORT.replace("kill", "kil"), "did you mean 'kill'"),
    "unknown promise": (SHORT.replace("cluster-heals", "cluster-heal"), "did you mean 'cluster-heals'"),
    "after its end": (SHORT.replace("at: 5s", "at: 17s"), "after the scenario (20 s)"),
    "before its beginning": (SHORT.replace("at: 5s", "at: -5s"), "greater than or equal to 0"),
    "no end": (SHORT.replace("for: 5s, ", ""), "needs an end"),
    "rate of zero": (SHORT + "load: {rate: 0}\n", "greater than 0"),
    "no duration": (SHORT.replace("20s", "twenty"), "a duration is written"),
    "unknown key": (SHORT + "lod: {rate: 5}\n", "did you mean 'load'"),
    "unknown service": (SHORT + "ledger: {gestbook: 5}\n", "the service 'gestbook'"),
    "nothing broken": ("for: 5s\npromises: [cluster-heals]\n", "the scenario has no faults"),
    "two faults in one": (SHORT.replace("kill: web1", "kill: web1, pause: web2"), "a step needs exactly one fault"),
    "on a node that is down": (
        SHORT.replace("promises", "  - {at: 6s, for: 1s, pause: web1}\npromises"),
        "the node is down then, by 'kill'",
    ),
    "bad setting": (SHORT.replace("kill: web1", "slow: web1, rate: fast"), "a rate is written"),
    "no promise": (SHORT.replace("[cluster-heals]", "[]"), "at least 1"),
    "empty": ("", "the scenario is empty"),
    "not YAML": ("for: [", "not valid YAML"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_answered_with_its_place_and_what_to_write(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        _read(tmp_path, text)
    assert said in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_an_unknown_node_or_scenario_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        schedule(_read(tmp_path, SHORT.replace("web1", "web9")), 1, PLAN)
    assert "no node or role 'web9'" in str(caught.value)
    with pytest.raises(SpecError, match="there is no scenario nothing"):
        find("nothing")
    done = CliRunner().invoke(app, ["chaos", "run", "nothing"])
    assert isinstance(done.exception, SpecError)
    assert "web-node-dies" in done.exception.next_step
    assert done.exception.next_step.endswith("any, mysql-nemesis")


@given(st.integers(0, 10_000))
def test_chance_follows_the_seed_and_never_hits_two_nodes_of_a_role_at_once(seed: int) -> None:
    made = load(find("long-random"))
    planned = schedule(made, seed, PLAN)
    assert planned == schedule(made, seed, PLAN)
    assert len(planned) > 30
    for role in ("web", "http-lb", "tcp-lb"):
        mine = [one for one in planned if PLAN.node(one.target).role == role]
        assert all((one.end or one.at) <= other.at for one, other in pairwise(mine))


def test_a_place_that_can_not_keep_runs_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(SpecError, match="cannot create a run"):
        Record.begin(tmp_path / "file" / "runs", "mine", 1, {}, 10)
    with pytest.raises(SpecError, match="MB of disk are free"):
        Record.begin(tmp_path, "mine", 1, {}, 1e14)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
