"""What a test measured; kept as a run with its report when the test fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.chaos.record import Record, versions
from lab.evidence.verdicts import FaultEvent, RunData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.evidence import Ledger, Load, Probes
    from lab.evidence.own import OwnLedger
    from lab.evidence.verdicts import PromiseResult, Timed
    from lab.faults import Injected
    from lab.testing.cluster import LabCluster
    from lab.testing.faults import Faults


class Evidence:
    """Collects what a test's fixtures made."""

    def __init__(self, cluster: LabCluster) -> None:
        self.loads: list[Load] = []
        self.probes: list[Probes] = []
        self.ledgers: list[Ledger | OwnLedger] = []
        self.faults: Faults | None = None
        self.happened: list[FaultEvent] = []
        self.results: Sequence[PromiseResult] = ()
        self._cluster = cluster
        self._begun = cluster.clock.now()

    def begin_round(self) -> None:
        """Forgets what earlier rounds of the test measured."""
        for records in (self.loads, self.probes, self.ledgers, self.happened, self.faults.done if self.faults else []):
            records.clear()
        self._begun = self._cluster.clock.now()

    def run_data(self, measured: Mapping[str, Sequence[Timed]] | None = None, holders: Sequence[str] = ()) -> RunData:
        """All of it as one run."""
        rows = {name: series for probes in self.probes for name, series in probes.rows.items()}
        load_runs = [one.load_run for of in (self.loads, self.probes, self.ledgers) for one in of]
        backend, plan = self._cluster.backend, self._cluster.plan
        return RunData(
            plan=plan,
            answers=sorted((one for load in self.loads for one in load.answers), key=lambda one: one.sent),
            rows=rows,
            faults=[*map(_happened, self.faults.done if self.faults else ()), *self.happened],
            judgements={},
            clock=backend.clock,
            begun=self._begun,
            ended=backend.clock.now(),
            holders=holders,
            stalls=[stall for one in load_runs for stall in one.stalls],
            measured=measured or {},
        )

    def keep(self, runs: Path, name: str, texts: Sequence[str]) -> Path:
        """Writes it down as a run, with the texts of what failed as `failure.txt`, and returns its report."""
        data = self.run_data()
        seed = self.faults.seed if self.faults else 0
        backend = self._cluster.backend
        manifest = {"summary": f"a test that failed: {name}", "versions": versions(backend, data.plan)}
        record = Record.begin(runs, _as_file(name), seed, manifest, len(data.answers))
        record.write("failure.txt", "\n\n".join(texts) + "\n")
        operations = {key: done for ledger in self.ledgers for key, done in ledger.operations.items()}
        record.keep(data, self.results, operations, backend, self._cluster.spec)
        return record.folder / "report.html"


def _happened(one: Injected) -> FaultEvent:
    now = one.backend.clock.now()
    ended = one.ended or now
    times = (one.begun, one.bitten or one.begun, one.mending or ended, ended)
    return FaultEvent(one.fault.kind, str(one.fault), one.fault.nodes, *times)


def _as_file(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)[:60].strip("-")
