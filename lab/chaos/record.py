"""What is kept of a run: one folder, readable without the lab. docs/chaos.md lists its files."""

from __future__ import annotations

import csv
import json
import platform
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import lab
from lab.chaos import events
from lab.errors import BackendError, LabError, SpecError
from lab.evidence.latency import percentiles
from lab.evidence.verdicts import Judged, PromiseVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.evidence.ledger import Operation
    from lab.evidence.verdicts import RunData
    from lab.plan import Plan
    from lab.topology import Cluster

ROW_BYTES = 120  # of an answer and a probe, in all files
LEAST_BYTES = 20_000_000  # logs, rendered files and the report of a large cluster
RESULTS = "results.json"


def versions(backend: Backend, plan: Plan) -> dict[str, Any]:
    """What ran: the lab, the engine, and the image of each node, which is named by its content."""
    return {
        "lab": lab.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.release()}",
        "backend": backend.name,
        "engine": backend.capabilities().engine,
        "family": plan.family,
        "images": {node.name: node.image for node in plan.nodes},
    }


@dataclass
class Record:
    """A run's folder.

    Attributes:
        results: the promises, once they are judged.
    """

    folder: Path
    name: str
    seed: int
    told: dict[str, Any]
    results: Sequence[Judged] = ()

    @classmethod
    def begin(cls, runs: Path, name: str, seed: int, told: dict[str, Any], asked: float) -> Record:
        """A new folder, before anything is done to the cluster; `asked`: how many questions the run will have.

        Raises:
            SpecError: it can't be made, or the disk has no room for what the run will write.
        """
        folder = reserved(runs, name, round(LEAST_BYTES + asked * ROW_BYTES))
        made = cls(folder, name, seed, told)
        made.write("run.json", json.dumps({"seed": seed, **told}, indent=2))
        return made

    @property
    def holds(self) -> bool:
        """Whether every promise was tested and kept."""
        return bool(self.results) and all(result.holds for result in self.results)

    def keep(  # noqa: PLR0913, PLR0917  a run's parts
        self,
        seen: RunData,
        results: Sequence[Judged],
        operations: Mapping[str, Sequence[Operation]],
        backend: Backend,
        cluster: Cluster,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes everything; `extra`: what else belongs into the results."""
        from lab.chaos.report import page

        self.results = results
        happened = events.events(seen)
        document = self._document(seen, cluster) | dict(extra or {})
        self.write(RESULTS, json.dumps(document, indent=2, allow_nan=False))
        self.write("junit.xml", _junit(self.name, results))
        self._lines("events.jsonl", [asdict(event) for event in happened])
        self._lines("history.jsonl", events.history(seen, operations))
        self._table("requests.csv", ("due", "seconds", "status", "node", "error"), _requests(seen))
        self._table("stalls.csv", ("where", "begun", "seconds"), _stalled(seen))
        self._table("probes.csv", ("probe", "due", "seconds", "status", "value", "error"), _probed(seen))
        self._nodes(seen.plan, backend)
        self.write("report.html", page.page(document, seen, results, happened))

    def _document(self, seen: RunData, cluster: Cluster) -> dict[str, Any]:
        """What programs read of a run, and what two runs are compared by."""
        times = percentiles(seen.answers)
        return {
            "name": self.name,
            "cluster": cluster.name,
            "seed": self.seed,
            "begun": seen.begun,
            "ended": seen.ended,
            "holds": self.holds,
            "promises": [asdict(result) for result in self.results],
            "requests": {
                "count": len(seen.answers),
                "failed": sum(answer.failed for answer in seen.answers),
                "percentiles": {f"{key:g}": value for key, value in times.items()},
            },
            "faults": [asdict(fault) for fault in seen.faults],
            "ledgers": [asdict(judgement) for judgement in seen.judgements.values()],
            "summary": self.told["summary"],
            "versions": self.told["versions"],
        }

    def _nodes(self, plan: Plan, backend: Backend) -> None:
        """The files that each node ran, secrets masked, and what its services printed."""
        for node in plan.nodes:
            for file in node.files:
                self.write(f"rendered/{node.name}{file.path}", file.masked)
            try:
                lines = list(backend.logs(node.name))
            except LabError as error:
                lines = [f"the log could not be read: {error.what}"]
            self.write(f"logs/{node.name}.log", "\n".join(lines) + "\n")

    def _lines(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def _table(self, name: str, titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        with _writing(self.folder), (self.folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(titles)
            writer.writerows(rows)

    def write(self, name: str, text: str) -> None:
        """One file of the folder.

        Raises:
            BackendError: the disk is full, or the like.
        """
        path = self.folder / name
        with _writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


class _writing:  # noqa: N801  reads as a clause
    """Turns what the disk refuses into an error that a person can act on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            raise BackendError(
                f"the run can't be kept: {error.strerror}",
                where=str(self._folder),
                next_step="make room there, or choose another place with --runs; the cluster is whole",
            ) from error


def reserved(runs: Path, name: str, size: int) -> Path:
    """A new folder for a run that may write so many bytes.

    Raises:
        SpecError: it can't be made, or there is no room.
    """
    stamp = datetime.now(tz=UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(runs).free
        if free < size:
            raise SpecError(
                f"a run of '{name}' may write {size // 1_000_000} MB, and {free // 1_000_000} MB are free",
                where=str(runs),
                next_step="remove old runs, or choose another place with --runs",
            )
        folder = runs / f"{stamp}-{name}"
        count = 1
        while folder.exists():
            count += 1
            folder = runs / f"{stamp}-{name}-{count}"
        folder.mkdir()
    except OSError as error:
        next_step = "choose another place with --runs"
        raise SpecError(f"runs can't be kept: {error.strerror}", where=str(runs), next_step=next_step) from None
    return folder


def _requests(seen: RunData) -> list[tuple[Any, ...]]:
    return [(f"{a.sent:.6f}", f"{a.seconds:.6f}", a.status or "", a.node or "", a.error) for a in seen.answers]


def _probed(seen: RunData) -> list[tuple[Any, ...]]:
    return [
        (name, f"{row.due:.6f}", f"{row.seconds:.6f}", row.status or "", row.value, row.error)
        for name, rows in seen.rows.items()
        for row in rows
    ]


def _stalled(seen: RunData) -> list[tuple[Any, ...]]:
    return [(stall.where, f"{stall.begun:.6f}", f"{stall.seconds:.6f}") for stall in seen.stalls]


def _junit(name: str, results: Sequence[Judged]) -> str:
    """One test case a promise: unknown is an error, everything else that does not hold is a failure."""
    suite = ET.Element("testsuite", name=f"chaos.{name}", tests=str(len(results)))
    for result in results:
        case = ET.SubElement(suite, "testcase", classname=f"chaos.{name}", name=result.promise)
        if result.seconds is not None:
            case.set("time", f"{result.seconds:.3f}")
        if not result.holds:
            kind = "error" if result.result is PromiseVerdict.UNKNOWN else "failure"
            ET.SubElement(case, kind, message=f"{result.result.value}: {result.figure}")
    counted = [result.result for result in results if not result.holds]
    suite.set("errors", str(counted.count(PromiseVerdict.UNKNOWN)))
    suite.set("failures", str(len(counted) - counted.count(PromiseVerdict.UNKNOWN)))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)
