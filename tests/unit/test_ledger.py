"""Verdicts of the ledger, each on the smallest history that has it."""

from __future__ import annotations

import pytest

from lab.evidence.ledger import ENOUGH, Operation, Outcome, Verdict, judge, operation
from lab.evidence.load_run import Row

IDS = [f"run-{number}" for number in range(ENOUGH)]
A, B = IDS[: ENOUGH // 2], IDS[ENOUGH // 2 :]


def _all(outcome: Outcome = Outcome.ACKNOWLEDGED) -> list[Operation]:
    return [Operation(one, 0, 1, outcome) for one in IDS]


@pytest.mark.parametrize(
    ("found", "everywhere", "verdict", "ids"),
    [
        ({"a": A, "b": B}, False, Verdict.HOLDS, ()),
        ({"a": IDS, "b": IDS}, True, Verdict.HOLDS, ()),
        ({"a": A[1:], "b": B}, False, Verdict.LOST, (IDS[0],)),
        ({"a": IDS[1:], "b": IDS[1:]}, True, Verdict.LOST, (IDS[0],)),
        ({"a": A, "b": [*B, A[0]]}, False, Verdict.DUPLICATED, (A[0],)),
        ({"a": [*IDS, IDS[3]], "b": IDS}, True, Verdict.DUPLICATED, (IDS[3],)),
        ({"a": IDS, "b": IDS[1:]}, True, Verdict.STALE, (IDS[0],)),
        ({}, True, Verdict.UNKNOWN, ()),
    ],
)
def test_verdicts(found: dict[str, list[str]], everywhere: bool, verdict: Verdict, ids: tuple[str, ...]) -> None:  # noqa: FBT001
    judged = judge("service", _all(), found, everywhere=everywhere)
    assert (judged.verdict, judged.ids) == (verdict, ids)


def test_a_replica_that_can_not_be_read_makes_it_unknown_never_lost() -> None:
    judged = judge("service", _all(), {"a": A}, ["b can't be read"], everywhere=False)
    assert judged.verdict is Verdict.UNKNOWN


def test_too_few_are_unknown() -> None:
    judged = judge("service", _all()[:5], {"a": IDS[:5]}, everywhere=False)
    assert judged.verdict is Verdict.UNKNOWN
    assert "5 writes" in judged.why


def test_what_nobody_knows_of_may_be_there_or_not() -> None:
    unknown = Operation("run-x", 0, 1, Outcome.UNKNOWN)
    for there in (["run-x"], []):
        assert judge("service", [*_all(), unknown], {"a": [*IDS, *there]}, everywhere=False).verdict is Verdict.HOLDS


def test_what_was_refused_must_not_be_there() -> None:
    refused = Operation("run-x", 0, 1, Outcome.FAILED)
    judged = judge("service", [*_all(), refused], {"a": [*IDS, "run-x"]}, everywhere=False)
    assert (judged.verdict, judged.ids) == (Verdict.DUPLICATED, ("run-x",))


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (201, Outcome.ACKNOWLEDGED),
        (303, Outcome.ACKNOWLEDGED),
        (400, Outcome.FAILED),
        (502, Outcome.UNKNOWN),
        (0, Outcome.UNKNOWN),
    ],
)
def test_what_a_client_knows(status: int, outcome: Outcome) -> None:
    assert operation("run", Row(7, 1.0, 0.5, status, "", "")) == Operation("run-7", 1.0, 1.5, outcome, str(status))
