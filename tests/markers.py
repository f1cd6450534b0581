"""The markers by which the Makefile chooses tests: each carries its reason, and some the topology of their run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

REASONED = ("nightly", "slow", "xen_smoke", "smaller", "galera")
FOLDER = "tests/cluster/topologies"
LVS = f"{FOLDER}/lvs.yaml"
PEOPLE = f"{FOLDER}/people.yaml"
WEB = f"{FOLDER}/web.yaml"
SITES = f"{FOLDER}/sites.yaml"
RUNS = {
    "xen_smoke": (LVS,),
    "smaller": (
        "stage6",
        WEB,
        PEOPLE,
        f"{FOLDER}/storage.yaml",
        f"{FOLDER}/apps.yaml",
        SITES,
    ),
}
"""The topologies of the runs that `make test` makes of a marker; 'make nightly' runs whole suites."""

WHOLE, DOCKER = "full", "docker"
"""Topology and backend of the run of all tests without a marker."""

LACKING = "the topology has"
"""In the reason of a test that is skipped for its topology (`LabCluster.require`, `options`)."""

SHARED = "_session_cluster"
"""The fixture of the cluster that tests share."""


def check(items: Iterable[pytest.Item]) -> None:
    """Refuses a marker without a reason, and one of Xen whose topology no run has.

    Raises:
        pytest.UsageError: names every such test.
    """
    wrong = {
        f"{item.nodeid}: {mark.name} {problem}"
        for item in items
        for mark in item.iter_markers()
        if mark.name in REASONED and (problem := _problem(mark))
    }
    if wrong:
        raise pytest.UsageError(*sorted(wrong))


def set_apart(items: Iterable[pytest.Item]) -> None:
    """Marks as `apart` what uses no shared cluster: it has a run of its own."""
    for item in items:
        if SHARED not in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.apart)


def refuse_skipped(item: pytest.Item, report: pytest.TestReport) -> None:
    """Fails a test that is skipped for its topology in the one run that `make test` makes of it: it would never run."""
    if not (report.skipped and isinstance(report.longrepr, tuple) and LACKING in report.longrepr[2]):
        return
    if _is_own_run(item):
        report.outcome = "failed"
        report.longrepr = f"{report.longrepr[2]}, and no other part of 'make test' runs this test: mark it for another"


def _is_own_run(item: pytest.Item) -> bool:
    """Whether this run is that of the test at every change; tests of Galera, and of the night, have several."""
    smaller = item.get_closest_marker("smaller")
    topology = smaller.kwargs["topology"] if smaller else WHOLE
    several = item.get_closest_marker("nightly") or item.get_closest_marker("galera")
    options = [item.config.getoption(name, None) for name in ("--backend", "--topology")]
    return not several and options == [DOCKER, topology]


def _problem(mark: pytest.Mark) -> str:
    reason = mark.args[0] if len(mark.args) == 1 else None
    if not isinstance(reason, str) or not reason.strip():
        return "needs a reason, e.g. @pytest.mark.nightly('takes ten minutes: ...')"
    runs = RUNS.get(mark.name)
    if runs and mark.kwargs.get("topology") not in runs:
        return f"needs the topology of its run, one of {', '.join(runs)}"
    return ""
