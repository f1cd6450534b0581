"""Events of all nodes on one time axis, and the history of operations, of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.evidence import probes
from lab.evidence.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.evidence.ledger import Operation
    from lab.evidence.load_run import Row
    from lab.evidence.verdicts import FaultEvent, RunData

JEPSEN = {Outcome.ACKNOWLEDGED: "ok", Outcome.FAILED: "fail", Outcome.UNKNOWN: "info"}


@dataclass(frozen=True)
class Event:
    """An event: `at` in Unix seconds of the nodes, `node` is the node or probe concerned."""

    at: float
    node: str
    what: str


def events(data: RunData) -> list[Event]:
    """Faults, outages, changes of pools and of the VIP's holder, in order of time."""
    all_events = [event for fault in data.faults for event in _of_fault(fault)]
    for name, rows in data.rows.items():
        all_events += _outages(name, rows, data.clock.limit(probes.LATE))
    all_events += [
        Event(span.begun, span.value, "holds the VIP") for span in probes.lane(data.rows.get(probes.VIP, ()))
    ]
    for node in data.plan.nodes:
        all_events += _pools(node.name, data.rows.get(node.name, ()))
    return sorted(all_events, key=lambda event: event.at)


def _of_fault(fault: FaultEvent) -> list[Event]:
    nodes = " ".join(fault.nodes)
    begun = Event(fault.begun, nodes, f"fault: {fault.text}")
    reverting = Event(fault.mending, nodes, f"reverting: {fault.text}")
    return [begun, reverting, Event(fault.mended, nodes, f"reverted: {fault.text}")]


def _outages(name: str, rows: Sequence[Row], late: float) -> list[Event]:
    outages = []
    for span in probes.outages(rows, late):
        outages.append(Event(span.begun, name, f"no answer ({span.value})"))
        if span.ended < rows[-1].due:
            outages.append(Event(span.ended, name, f"answers again, after {span.seconds:.2f} s"))
    return outages


def _pools(balancer: str, rows: Sequence[Row]) -> list[Event]:
    changes: list[Event] = []
    before: set[str] | None = None
    for span in probes.lane([row for row in rows if "=" in row.value]):
        now = probes.members(span.value)
        if before is not None:
            changes += [Event(span.begun, name, f"out of the pool of {balancer}") for name in sorted(before - now)]
            changes += [Event(span.begun, name, f"in the pool of {balancer}") for name in sorted(now - before)]
        before = now
    return changes


def history(data: RunData, operations: Mapping[str, Sequence[Operation]]) -> list[dict[str, Any]]:
    """Invocation and completion of each write, and the faults, in order of time; Jepsen's format."""
    rows: list[dict[str, Any]] = []
    for service, done in operations.items():
        for one in done:
            common = {"process": service, "f": "write", "value": one.id}
            rows.append({**common, "type": "invoke", "time": one.invoked})
            rows.append({**common, "type": JEPSEN[one.outcome], "time": one.completed, "said": one.answer})
    for fault in data.faults:
        rows.append({"process": "faults", "f": fault.kind, "value": fault.text, "type": "invoke", "time": fault.begun})
        rows.append({"process": "faults", "f": fault.kind, "value": fault.text, "type": "ok", "time": fault.mended})
    return sorted(rows, key=lambda row: float(row["time"]))
