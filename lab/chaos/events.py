"""What happened to every node on one time axis, and the history of operations, from what was seen of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.evidence import probes
from lab.evidence.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.evidence.asking import Row
    from lab.evidence.ledger import Operation
    from lab.evidence.verdicts import Happened, RunData

JEPSEN = {Outcome.ACKNOWLEDGED: "ok", Outcome.FAILED: "fail", Outcome.UNKNOWN: "info"}


@dataclass(frozen=True)
class Event:
    """Something that happened: `at` in Unix seconds of this machine, `node` is what it happened to."""

    at: float
    node: str
    what: str


def events(seen: RunData) -> list[Event]:
    """Faults, silences, pools and the VIP, in order."""
    found = [event for fault in seen.faults for event in _of_fault(fault)]
    for name, rows in seen.rows.items():
        found += _silences(name, rows, seen.clock.limit(probes.LATE))
    found += [Event(span.begun, span.value, "holds the VIP") for span in probes.lane(seen.rows.get(probes.VIP, ()))]
    for node in seen.plan.nodes:
        found += _pools(node.name, seen.rows.get(node.name, ()))
    return sorted(found, key=lambda event: event.at)


def _of_fault(fault: Happened) -> list[Event]:
    who = " ".join(fault.nodes)
    begun = Event(fault.begun, who, f"fault: {fault.text}")
    return [begun, Event(fault.mending, who, f"mended: {fault.text}"), Event(fault.mended, who, "whole again")]


def _silences(name: str, rows: Sequence[Row], late: float) -> list[Event]:
    found = []
    for span in probes.outages(rows, late):
        found.append(Event(span.begun, name, f"answers no more ({span.value})"))
        if span.ended < rows[-1].due:
            found.append(Event(span.ended, name, f"answers again, after {span.seconds:.2f} s"))
    return found


def _pools(balancer: str, rows: Sequence[Row]) -> list[Event]:
    found: list[Event] = []
    before: set[str] | None = None
    for span in probes.lane([row for row in rows if "=" in row.value]):
        now = probes.members(span.value)
        if before is not None:
            found += [Event(span.begun, name, f"out of the pool of {balancer}") for name in sorted(before - now)]
            found += [Event(span.begun, name, f"in the pool of {balancer}") for name in sorted(now - before)]
        before = now
    return found


def history(seen: RunData, operations: Mapping[str, Sequence[Operation]]) -> list[dict[str, Any]]:
    """Every write as it was invoked and as it ended, and the faults among them."""
    rows: list[dict[str, Any]] = []
    for service, done in operations.items():
        for one in done:
            told = {"process": service, "f": "write", "value": one.id}
            rows.append({**told, "type": "invoke", "time": one.invoked})
            rows.append({**told, "type": JEPSEN[one.outcome], "time": one.completed, "said": one.said})
    for fault in seen.faults:
        rows.append({"process": "faults", "f": fault.kind, "value": fault.text, "type": "invoke", "time": fault.begun})
        rows.append({"process": "faults", "f": fault.kind, "value": fault.text, "type": "ok", "time": fault.mended})
    return sorted(rows, key=lambda row: float(row["time"]))
