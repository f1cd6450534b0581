"""'lab chaos run any': which faults a cluster can have, each once, and what a run of one comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab import assets
from lab.backends.memory import MemoryBackend
from lab.chaos import every, load
from lab.cli import chaos
from lab.evidence import Verdict
from lab.plan import plan
from lab.topology import parse
from tests.unit.conftest import WHOLE

if TYPE_CHECKING:
    from pathlib import Path

APP = "network: 10.90.0.0/24\nports: {site: 8443}\nweb: {count: 2}\nhttp-lb: {count: 1}\n"
APP += "apps: {shop: {image: shop, port: 8000, count: 2}}\n"


def _faults(text: str, site: str | None = None) -> tuple[list[str], dict[str, str]]:
    made, left = every.scenarios(plan(parse(text), "debian"), MemoryBackend("www"), site)
    return [f"{one.faults[0].kind} {one.faults[0].target}" for one in made], left


def test_every_fault_of_every_scenario_is_played_or_named_with_the_reason() -> None:
    played, left = _faults(WHOLE)
    kinds = {fault.split()[0] for fault in played} | {fault.split()[0] for fault in left}
    for path in assets.scenarios().values():
        scenario = load(path)
        assert {step.kind for step in scenario.faults} <= kinds
        assert set(scenario.random_faults.faults if scenario.random_faults else ()) <= kinds
    assert {"kill web1", "kill vip-holder", "kill primary", "kill storage1", "kill all"} <= set(played)
    assert all(left.values())


def test_the_same_fault_of_another_node_is_played_once() -> None:
    played, _ = _faults(WHOLE)
    assert "kill web1" in played
    assert not {"kill web2", "kill web3"} & set(played)


def test_a_fault_of_a_node_that_is_not_there_happens_to_one_that_is() -> None:
    played, left = _faults(APP.replace("count: 2", "count: 1", 1))
    assert "pause web1" in played
    assert any("no VIP" in why for why in left.values())


@pytest.mark.parametrize(
    ("verdict", "bad", "cell"),
    [
        (Verdict.HOLDS, 0, "0 of 94"),
        (Verdict.LOST, 3, "3 of 94"),
        (Verdict.STALE, 2, "2 stale of 94"),
        (Verdict.DUPLICATED, 1, "1 duplicated of 94"),
        (Verdict.UNKNOWN, 0, "unknown of 94"),
        (None, 0, "–"),
    ],
)
def test_the_cell_of_the_lost_writes(verdict: Verdict | None, bad: int, cell: str, tmp_path: Path) -> None:
    writes = 94 if verdict else None
    row = every.Damage("kill shop1", 100, 0, 0.0, writes, verdict, bad, good=True, folder=tmp_path)
    assert chaos._lost(row) == cell  # noqa: SLF001


def test_those_of_web_nodes_happen_to_an_applications_own() -> None:
    played, _ = _faults(APP, "shop")
    assert {"kill shop1", "pause shop1", "restart shop1", "kill web1"} <= set(played)
    assert "freeze shop1" not in played
    assert played.index("kill shop1") < played.index("kill web1")
    assert not any(fault.endswith("shop1") for fault in _faults(APP)[0])
