"""The record of a run: one folder, readable without the lab. docs/chaos.md lists its files."""

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
from lab.backends.optional import logs
from lab.chaos import events
from lab.errors import BackendError, LabError, SpecError
from lab.evidence.latency import percentiles
from lab.evidence.verdicts import PromiseResult, PromiseVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lab.backends.base import Backend
    from lab.evidence.ledger import Operation
    from lab.evidence.verdicts import RunData
    from lab.plan import Plan
    from lab.topology import Cluster

ROW_BYTES = 120  # of one answer or probe, in all files together
LEAST_BYTES = 20_000_000  # logs, rendered files and the report of a large cluster
RESULTS = "results.json"


def versions(backend: Backend, plan: Plan) -> dict[str, Any]:
    """Versions of the lab, the engine and each node's image, which is named by its content."""
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
        results: of the promises, after `keep`.
        data: all measurements of the run, after `keep`.
    """

    folder: Path
    name: str
    seed: int
    manifest: dict[str, Any]
    results: Sequence[PromiseResult] = ()
    data: RunData | None = None

    @classmethod
    def begin(cls, runs: Path, name: str, seed: int, manifest: dict[str, Any], requests: float) -> Record:
        """Creates the folder, before the cluster is changed; `requests`: the estimated number of requests and probes.

        Raises:
            SpecError: the folder cannot be created, or the disk has too little free space.
        """
        folder = reserved(runs, name, round(LEAST_BYTES + requests * ROW_BYTES))
        record = cls(folder, name, seed, manifest)
        record.write("run.json", json.dumps({"seed": seed, **manifest}, indent=2))
        return record

    def remove(self) -> None:
        """Removes the folder of a run that was refused before it began."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def holds(self) -> bool:
        """Whether every promise was tested and holds."""
        return bool(self.results) and all(result.holds for result in self.results)

    def keep(  # noqa: PLR0913, PLR0917  a run's parts
        self,
        data: RunData,
        results: Sequence[PromiseResult],
        operations: Mapping[str, Sequence[Operation]],
        backend: Backend,
        cluster: Cluster,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes all files; `extra`: further keys of results.json."""
        from lab.chaos.report import page

        self.results, self.data = results, data
        timeline = events.events(data)
        document = self._document(data, cluster) | dict(extra or {})
        self.write(RESULTS, json.dumps(document, indent=2, allow_nan=False))
        self.write("junit.xml", _junit(self.name, results))
        self._lines("events.jsonl", [asdict(event) for event in timeline])
        self._lines("history.jsonl", events.history(data, operations))
        self._table("requests.csv", ("due", "seconds", "status", "node", "error"), _requests(data))
        self._table("stalls.csv", ("where", "begun", "seconds"), _stalled(data))
        self._table("probes.csv", ("probe", "due", "seconds", "status", "value", "error"), _probed(data))
        self._nodes(data.plan, backend)
        self.write("report.html", page.page(document, data, results, timeline))

    def _document(self, data: RunData, cluster: Cluster) -> dict[str, Any]:
        """The content of results.json, by which programs read and compare runs."""
        times = percentiles(data.answers)
        return {
            "name": self.name,
            "cluster": cluster.name,
            "seed": self.seed,
            "begun": data.begun,
            "ended": data.ended,
            "holds": self.holds,
            "promises": [asdict(result) for result in self.results],
            "requests": {
                "count": len(data.answers),
                "failed": sum(answer.failed for answer in data.answers),
                "percentiles": {f"{key:g}": value for key, value in times.items()},
            },
            "faults": [asdict(fault) for fault in data.faults],
            "ledgers": [asdict(judgement) for judgement in data.judgements.values()],
            "summary": self.manifest["summary"],
            "versions": self.manifest["versions"],
        }

    def _nodes(self, plan: Plan, backend: Backend) -> None:
        """The rendered files of each node, secrets masked, and the output of its services."""
        for node in plan.nodes:
            for file in node.files:
                self.write(f"rendered/{node.name}{file.path}", file.masked)
        self.keep_logs(plan, backend)

    def keep_logs(self, plan: Plan, backend: Backend, folder: str = "logs") -> None:
        """Writes the present output of each node's services into a folder of the run."""
        for node in plan.nodes:
            try:
                lines = list(logs(backend).logs(node.name))
            except LabError as error:
                lines = [f"cannot read the log: {error.what}"]
            self.write(f"{folder}/{node.name}.log", "\n".join(lines) + "\n")

    def _lines(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def _table(self, name: str, titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        with _writing(self.folder), (self.folder / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(titles)
            writer.writerows(rows)

    def write(self, name: str, text: str) -> None:
        """Writes one file of the folder.

        Raises:
            BackendError: it cannot be written, such as on a full disk.
        """
        path = self.folder / name
        with _writing(self.folder):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


class _writing:  # noqa: N801  reads as a clause
    """Turns an OSError into a BackendError with a next step."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        return

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            raise BackendError(
                f"cannot write the run: {error.strerror}",
                where=str(self._folder),
                next_step="free some space, or choose another folder with --runs; all faults were reverted",
            ) from error


def reserved(runs: Path, name: str, size: int) -> Path:
    """Creates a folder for a run that may write `size` bytes.

    Raises:
        SpecError: it cannot be created, or the disk has too little free space.
    """
    stamp = datetime.now(tz=UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        runs.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(runs).free
        if free < size:
            raise SpecError(
                f"a run of '{name}' may write {size // 1_000_000} MB, and {free // 1_000_000} MB of disk are free",
                where=str(runs),
                next_step="remove old runs, or choose another folder with --runs",
            )
        folder = runs / f"{stamp}-{name}"
        count = 1
        while folder.exists():
            count += 1
            folder = runs / f"{stamp}-{name}-{count}"
        folder.mkdir()
    except OSError as error:
        next_step = "choose another folder with --runs"
        raise SpecError(f"cannot create a run: {error.strerror}", where=str(runs), next_step=next_step) from None
    return folder


def _requests(data: RunData) -> list[tuple[Any, ...]]:
    return [(f"{a.sent:.6f}", f"{a.seconds:.6f}", a.status or "", a.node or "", a.error) for a in data.answers]


def _probed(data: RunData) -> list[tuple[Any, ...]]:
    return [
        (name, f"{row.due:.6f}", f"{row.seconds:.6f}", row.status or "", row.value, row.error)
        for name, rows in data.rows.items()
        for row in rows
    ]


def _stalled(data: RunData) -> list[tuple[Any, ...]]:
    return [(stall.where, f"{stall.begun:.6f}", f"{stall.seconds:.6f}") for stall in data.stalls]


def _junit(name: str, results: Sequence[PromiseResult]) -> str:
    """JUnit XML, one test case per promise: `unknown` is an error, any other verdict but `holds` a failure."""
    suite = ET.Element("testsuite", name=f"chaos.{name}", tests=str(len(results)))
    for result in results:
        case = ET.SubElement(suite, "testcase", classname=f"chaos.{name}", name=result.promise)
        if result.seconds is not None:
            case.set("time", f"{result.seconds:.3f}")
        if not result.holds:
            kind = "error" if result.result is PromiseVerdict.UNKNOWN else "failure"
            ET.SubElement(case, kind, message=f"{result.result.value}: {result.figure}")
    failed = [result.result for result in results if not result.holds]
    suite.set("errors", str(failed.count(PromiseVerdict.UNKNOWN)))
    suite.set("failures", str(len(failed) - failed.count(PromiseVerdict.UNKNOWN)))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)
