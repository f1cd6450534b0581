"""The rules of the MySQL cluster on a model of it: thousands of interleavings, and what must never happen in any."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lab_node.keeper import rules
from lab_node.keeper.membership import Members
from lab_node.keeper.rules import Role
from tests.unit import mysql_fairness, mysql_walks
from tests.unit.mysql_model import EVERYBODY, Cluster
from tests.unit.mysql_walks import WEIGHTS, settles, walks
from tests.unit.thorough import part

pytestmark = pytest.mark.slow("thousands of interleavings")


def test_members_to_come_are_chosen_by_those_that_were_too() -> None:
    def voters(*numbers: int) -> list[rules.View]:
        return [rules.View(f"mysql{number}", Role.REPLICA, member=True) for number in numbers]

    three, one, other = {"mysql1", "mysql2", "mysql3"}, {"mysql1"}, {"mysql1", "mysql2", "mysql4"}
    assert rules.chosen(voters(1, 2), [three, three])
    assert not rules.chosen(voters(1), [three, one]), "a node that is told it is alone"
    assert rules.chosen(voters(1, 3), [three, one])
    assert not rules.chosen(voters(2, 3), [one, three]), "two that are to come back, without the one that was alone"
    assert not rules.chosen(voters(1, 3), [three, other])
    assert rules.chosen(voters(1, 2), [three, other])


def test_thousands_of_interleavings_lose_nothing() -> None:
    walks(range(part(5000)))


def test_somebody_leads_in_the_end_whatever_was_before() -> None:
    settles(range(part(4000)))


def test_promotions_that_are_given_up_lose_nothing_and_somebody_leads_in_the_end() -> None:
    settles(range(part(4000)), given_up=6)


CHANGES = 3
"""The weight of a node that is told of other members."""


def test_interleavings_with_changes_of_the_members_lose_nothing_and_somebody_leads_in_the_end() -> None:
    settles(range(part(4000)), CHANGES)


@pytest.mark.parametrize(("broken", "first"), [("admits", 0), ("voted", 6_800), ("chosen", 1_300), ("heard", 0)])
def test_the_model_finds_a_rule_of_changes_that_is_broken(
    broken: str, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was, a voter took a change as agreed on though its candidate was not elected; and without each rule."""

    def voted(self: Members, candidate: Members, configured: tuple[str, ...], epoch: int) -> Members:
        return Members(epoch, configured) if self.names != configured else self.heard(candidate)

    without = {
        "admits": (Members, lambda *_: True),
        "voted": (Members, voted),
        "chosen": (rules, lambda voters, memberships: rules.elected(voters, len(memberships[-1]))),
        "heard": (Members, lambda self, other: max(self, other, key=lambda one: one.since)),
    }
    monkeypatch.setattr(without[broken][0], broken, without[broken][1])
    with pytest.raises(AssertionError):
        settles(range(first, first + 20_000), CHANGES)


def test_a_change_that_a_later_primary_does_not_know_is_forgotten_by_who_voted_for_it() -> None:
    """Else its voter could not be elected for ever without the node that had proposed it."""
    model = Cluster()
    model.begin(formed=True)
    model.configure(0, frozenset({0}))
    model.stand(0, frozenset({0, 1}))
    voter = model.nodes[1]
    assert voter.members.proposed == ((2, ("mysql1",)),)
    model.configure(0, EVERYBODY)
    knows = model.nodes[2].members
    assert voter.members.following(knows, 1) == voter.members, "an older primary may not have heard of it"
    assert voter.members.following(knows, 3) == knows


def test_the_model_finds_a_cluster_in_which_nobody_would_ever_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was: only an open primary was cloned, and an epoch was written before anybody could take it."""

    def begin_alone(self: Cluster, index: int) -> None:
        me = self.nodes[index]
        if me.role is Role.PROMOTING and not me.written:
            me.log.append(me.epoch * rules.SPAN)
            me.waiting, me.written = {me.log[-1]}, True

    monkeypatch.setattr(Cluster, "begin_epoch", begin_alone)
    with pytest.raises(AssertionError, match="nobody leads"):
        settles(range(2000, 6000))


def test_the_model_finds_elections_that_take_votes_from_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two candidates of the same patience each have their own vote, at every try."""
    monkeypatch.setattr(mysql_fairness, "share", lambda *_: 1)
    with pytest.raises(AssertionError, match=r"nobody (of two )?leads"):
        settles(range(20))


def test_a_search_finds_no_interleaving_that_loses_something() -> None:
    run_state_machine_as_test(Cluster, settings=settings(max_examples=part(200), stateful_step_count=50))


@pytest.mark.parametrize(
    ("broken", "first"),
    [("grants", 0), ("elected", 0), ("diverged", 0), ("joins", 11_900), ("leader", 0), ("owing", 300)],
)
def test_the_model_finds_a_rule_that_is_broken(broken: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each rule is needed: without it some interleaving loses something, and the model sees it.

    The search begins at the seed `first`, shortly before one that is known to lose something.
    """
    without = {
        "grants": lambda epoch, _candidate, promised, _position: epoch > promised,
        "elected": lambda voters, _size: len(voters) >= 1,
        "diverged": lambda _position, _history: False,
        "joins": lambda _me, _primary, _views, _size: True,
        "owing": lambda _position, _owes: False,
        "leader": lambda _me, views: next((v for v in views if v.role in (Role.PRIMARY, Role.PROMOTING)), None),
    }
    monkeypatch.setattr(rules, broken, without[broken])
    if broken == "joins":  # of what breaks without it, copies leave little
        monkeypatch.setattr(mysql_walks, "WEIGHTS", (*WEIGHTS[:-1], 0))
    with pytest.raises(AssertionError):
        walks(range(first, first + 20_000))
