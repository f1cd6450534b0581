"""Runs of the page: a scenario, and a recording, which is a run whose faults a person injects."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab import assets, chaos
from lab.chaos import Stage, find, load
from lab.chaos.fitting import lacking
from lab.chaos.record import Record, versions
from lab.errors import SpecError
from lab.evidence.checks import judged
from lab.evidence.load import Load
from lab.evidence.load_run import Stream
from lab.evidence.promises import promise
from lab.evidence.verdicts import RunData
from lab.lifecycle.resolve import timers
from lab.lifecycle.status import vip_holders
from lab.page.actions import WorkReport
from lab.services.streams import cluster_probes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.chaos.scenario import Scenario
    from lab.page.actions import Actions, Work
    from lab.page.collector import Collector

RATE = 20.0  # requests a second of a recording
LONGEST_SECONDS = 1800.0
ESTIMATED = 600.0 * 500  # requests and probes of ten minutes
SEED = 1
FILES = ("report.html", "results.json", "events.jsonl", "history.jsonl", "requests.csv", "probes.csv", "run.json")
"""The files of a run that the page shows."""


@dataclass(frozen=True)
class Listed:
    """A shipped scenario; `lacks`: why it can't run on this cluster, empty where it can."""

    name: str
    summary: str
    seconds: float
    lacks: str = ""


class Runs:
    """Scenarios and recordings, one at a time.

    Attributes:
        folder: where runs are kept.
    """

    def __init__(self, collector: Collector, actions: Actions, folder: Path) -> None:
        self.folder = folder
        self._collector, self._actions = collector, actions
        self._stop: threading.Event | None = None
        self._since: float | None = None
        self._work: Work | None = None
        self._playing = ""
        collector.extra.append(self._values)

    def scenarios(self) -> list[Listed]:
        """The shipped scenarios: first those that can run on this cluster."""
        loaded = [load(path) for path in assets.scenarios().values()]
        return sorted(
            (Listed(one.name, one.summary, one.span, self._lacks(one)) for one in loaded),
            key=lambda listed: bool(listed.lacks),
        )

    def _lacks(self, scenario: Scenario) -> str:
        """Why it can't run here; empty where it can, or where the cluster is not known yet."""
        collector = self._collector
        if collector.cluster is None or collector.plan is None:
            return ""
        return lacking(scenario, collector.cluster, collector.plan, collector.backend.capabilities())

    def play(self, name: str) -> Work:
        """Begins a shipped scenario.

        Raises:
            SpecError: there is none of that name, it can't run on this cluster, or a run is under way.
        """
        if name not in assets.scenarios():
            raise SpecError(f"there is no scenario '{name}'", next_step="'lab chaos list' lists them")
        self._refuse_second()
        scenario, collector = load(find(name)), self._collector
        if why := self._lacks(scenario):
            raise SpecError(f"'{name}' can't run on this cluster: {why}", next_step="choose another scenario")
        self._playing = name

        def act(tell: Callable[..., None], stop: threading.Event) -> str:
            try:
                cluster = timers(collector.cluster or collector.topology, collector.backend)
                stage = Stage(cluster, collector.backend, _ScenarioReport(tell, collector), stop)
                record = chaos.run(scenario, stage, SEED, self.folder)
            finally:
                self._playing = ""
            tell(link=f"/runs/{record.folder.name}/report.html")
            return _summary(record)

        suffix = self._actions.suffix
        return self._actions.begin(" ".join(filter(None, (f"lab chaos run {name} --seed {SEED}", suffix))), act)

    def record(self) -> Work:
        """Begins a recording.

        Raises:
            SpecError: a run is under way, or the cluster is not known yet.
        """
        self._refuse_second()
        if self._collector.plan is None or self._collector.cluster is None:
            raise SpecError("there is no cluster to record", next_step="run 'lab up'")
        stopped = self._stop = threading.Event()
        self._since = self._collector.now()
        self._work = self._actions.begin("recording", lambda tell, stop: self._record(tell, stop, stopped))
        return self._work

    def stop(self) -> Work:
        """Ends the recording; its report is written.

        Raises:
            SpecError: none is under way.
        """
        if self._stop is None or self._work is None:
            raise SpecError("no recording is under way")
        self._stop.set()
        return self._work

    def _refuse_second(self) -> None:
        if self._stop is not None or self._playing:
            raise SpecError("a run is under way", next_step="wait for its end, or stop the recording")

    def _values(self) -> dict[str, Any]:
        return {"recording": {"since": self._since, "playing": self._playing}}

    def _record(self, tell: Callable[..., None], stop: threading.Event, stopped: threading.Event) -> str:
        collector, backend = self._collector, self._collector.backend
        plan, cluster = collector.plan, collector.cluster
        assert plan is not None  # noqa: S101  `record` refused
        assert cluster is not None  # noqa: S101
        try:
            description = {"summary": "A recording of the live page.", "versions": versions(backend, plan)}
            record = Record.begin(self.folder, "recording", SEED, description, ESTIMATED)
            url = f"{plan.scheme}://{cluster.site}/whoami"
            probing = cluster_probes(backend, plan, cluster.site, LONGEST_SECONDS)
            visits = Load(backend, Stream("load", url, backend.clock.page_rate(RATE)), LONGEST_SECONDS)
            begun = collector.now()
            with ExitStack() as stack:
                stack.enter_context(probing)
                stack.enter_context(visits)
                tell("recording: faults, probes and visitors")
                while not (stopped.is_set() or stop.is_set()) and collector.now() < begun + LONGEST_SECONDS:
                    stopped.wait(0.2)
                ended = collector.now()
            self._since = None
            tell("writing the report")
            faults = [one.event(ended) for one in collector.faults.by_mark.values() if (one.ended or ended) >= begun]
            data = RunData(
                plan=plan,
                answers=visits.answers,
                rows=probing.rows,
                faults=sorted(faults, key=lambda one: one.begun),
                judgements={},
                clock=backend.clock,
                begun=begun,
                ended=ended,
                holders=vip_holders(backend, backend.observe()),
                stalls=[*probing.load_run.stalls, *visits.load_run.stalls],
            )
            shown = collector.judge.shown if collector.judge else {}
            results = [judged(promise(name), figures["bound"], data) for name, figures in shown.items()]
            record.keep(data, results, {}, backend, cluster)
            tell(link=f"/runs/{record.folder.name}/report.html")
            return f"recorded {ended - begun:.0f} s: {record.folder}"
        finally:
            self._stop = self._since = self._work = None

    def file(self, run: str, name: str) -> Path | None:
        """A file of a run that the page may show; None for any other."""
        if name not in FILES or "/" in run or run.startswith(".") or not run:
            return None
        path = self.folder / run / name
        return path if path.is_file() else None


class _ScenarioReport(WorkReport):
    """The report of a scenario: each line is the message of the work, and an event."""

    def __init__(self, tell: Callable[..., None], collector: Collector) -> None:
        super().__init__(tell)
        self._collector = collector

    def say(self, line: str) -> None:
        super().say(line)
        self._collector.attend()
        self._collector.say("", "page", f"scenario: {line.strip()}", line)


def _summary(record: Record) -> str:
    failed = [result.promise for result in record.results if not result.holds]
    count = f"{len(record.results)} promises tested"
    return f"{count}; every promise holds" if record.holds else f"{count}; not holding: {', '.join(failed)}"


def shown(listed: Listed) -> dict[str, Any]:
    """A scenario as the page reads it."""
    return asdict(listed)
