"""The storage nodes' agent on a model of GlusterFS: thousands of interleavings, and what must never happen in any."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from lab_node.volumes import rules
from lab_node.volumes.glusterd import parsed
from lab_node.volumes.rules import Brick, Loss, Volume
from tests.unit.gluster_model import OPTIONS, Cluster
from tests.unit.gluster_node import NAME, SIZE
from tests.unit.thorough import PROFILE, part

if TYPE_CHECKING:
    from collections.abc import Callable


STEPS = settings(max_examples=part(400), stateful_step_count=50, report_multiple_bugs=False)
# How many examples find a broken rule is a matter of luck, from a second to half a minute: at every change those of a
# seed that finds it soon are tried.
SEARCH = settings(STEPS, max_examples=4000, phases=[Phase.generate], derandomize=PROFILE != "nightly")


@pytest.mark.slow("thousands of steps")
def test_nothing_is_lost_or_made_over_what_exists_and_all_becomes_well() -> None:
    run_state_machine_as_test(Cluster, settings=STEPS)


def _makes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any mark and any data are forgotten by who makes a volume."""
    not_made = rules.not_made
    monkeypatch.setattr(rules, "not_made", lambda name, node, peers, to, _: not_made(name, node, peers, to, Brick()))


def _takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with data counts as an empty brick."""
    monkeypatch.setattr(rules, "foreign", lambda *_: "")


def _marks_what_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty disk is marked though others have files: it is thought well."""
    monkeypatch.setattr(rules, "marks", lambda volume, brick: brick.unused and brick.mark != volume.id)


def _sets_aside_what_others_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    """A brick that lost files is emptied though it is the only one that has others."""
    monkeypatch.setattr(rules, "loss", lambda _, *, lost, **__: Loss.EMPTIED if lost else Loss.NONE)


def _never_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A making that was broken off is in the way for ever."""
    monkeypatch.setattr(rules, "forgets", lambda *_: False)


def _leaves_the_healer_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A self-heal daemon that died is not started."""
    monkeypatch.setattr(rules, "needs_healer", lambda *_, **__: False)


@pytest.mark.slow("thousands of steps")
@pytest.mark.parametrize(
    ("broken", "first"),
    [
        (_makes_over, None),
        (_takes_what_is_there, None),
        (_marks_what_has_run, None),
        (_sets_aside_what_others_lack, 1),
        (_never_forgets, None),
        (_leaves_the_healer_off, None),
    ],
)
def test_the_model_finds_a_rule_that_is_broken(
    broken: Callable[[pytest.MonkeyPatch], None], first: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`first`: the seed of every change, where not the test's own."""
    broken(monkeypatch)
    searched = type("Searched", (Cluster,), {})
    if first and PROFILE != "nightly":
        seed(first)(searched)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(searched, settings=SEARCH)


@pytest.mark.parametrize(
    ("copies", "lost", "suspected", "owing", "found"),
    [
        (3, False, True, True, Loss.NONE),
        (3, True, False, False, Loss.SUSPECTED),
        (3, True, True, True, Loss.NEEDED),
        (3, True, True, False, Loss.EMPTIED),
        (1, False, True, False, Loss.NONE),
        (1, True, False, False, Loss.SUSPECTED),
        (1, True, True, False, Loss.ALONE),
    ],
)
def test_a_brick_that_lost_files_is_ended_at_the_second_look_unless_it_is_needed(
    copies: int,
    lost: bool,  # noqa: FBT001
    suspected: bool,  # noqa: FBT001
    owing: bool,  # noqa: FBT001
    found: Loss,
) -> None:
    assert rules.loss(copies, lost=lost, suspected=suspected, owing=owing) is found


def test_an_older_volume_is_stopped_for_a_transport_that_bricks_take_at_their_start_only() -> None:
    before = Volume(NAME, uuid.uuid4(), created=False, started=True, options={"server.ssl": "off", "other": "kept"})
    wanted = rules.settling(before, OPTIONS, SIZE)
    assert (wanted.options, wanted.stop, wanted.start, wanted.whole_index) == (OPTIONS, True, True, True)
    now = replace(before, options={**OPTIONS, "cluster.granular-entry-heal": "off", "network.ping-timeout": "9"})
    wanted = rules.settling(now, OPTIONS, SIZE)
    assert (wanted.options, wanted.stop, wanted.start) == ({"network.ping-timeout": "2"}, False, False)
    assert not wanted.whole_index
    assert not rules.settling(before, OPTIONS, 1).whole_index, "one copy heals nobody"


def test_an_entry_waits_before_it_is_to_heal_and_longer_before_it_is_stuck() -> None:
    seen = rules.noted({}, ["a"], 100.0)
    assert rules.to_heal(seen, 100.0 + rules.HEAL_SECONDS - 1) == []
    seen = rules.noted(seen, ["a", "b"], 100.0 + rules.HEAL_SECONDS)
    assert rules.to_heal(seen, 100.0 + rules.HEAL_SECONDS) == ["a"]
    assert rules.stuck({"home": {}, NAME: seen}, 100.0 + rules.STUCK_SECONDS) == []
    assert rules.stuck({"home": {}, NAME: seen}, 101.0 + rules.STUCK_SECONDS) == [NAME]
    assert rules.noted(seen, ["b"], 200.0) == {"b": 100.0 + rules.HEAL_SECONDS}, "'a' is healed"


@pytest.mark.parametrize(
    ("quickest", "worked", "hung"),
    [(None, 0.2, True), (None, 20.0, False), (0.2, 20.0, True), (1.0, 20.0, False)],
)
def test_a_glusterd_hangs_that_does_nothing_or_works_far_longer_than_ever(
    quickest: float | None,
    worked: float,
    hung: bool,  # noqa: FBT001
) -> None:
    assert rules.hangs(25, quickest, worked) is hung


def test_a_volume_is_read_from_what_gluster_says() -> None:
    text = """<volume><name>www</name><id>7c9a2a5e-8b6c-4c3f-9a51-0c1f2d3e4b5a</id><status>1</status><options>
        <option><name>server.ssl</name><value>on</value></option></options></volume>"""
    found = parsed(ET.fromstring(text))  # noqa: S314  written here
    assert (found.name, found.created, found.started) == ("www", False, True)
    assert found.options == {"server.ssl": "on"}
