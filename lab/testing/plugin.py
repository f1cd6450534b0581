"""The pytest plugin: options, and fixtures for this project's suites and for other tests.

`cluster` is a cluster of its own for the session, created at the first use, repaired before each test, and removed at
the end. `faults` injects faults, `probe` and `ledger` measure, `rounds` judges promises; the measurements of a failing
test are kept with a report.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from lab.evidence import Ledger, Probes
    from lab.evidence.outcomes import CheckOutcome
    from lab.evidence.own import OwnLedger
    from lab.testing.cluster import LabCluster
    from lab.testing.evidence import Evidence
    from lab.testing.faults import Faults
    from lab.testing.rounds import Rounds
    from lab.topology import Placement

FAILED = pytest.StashKey[list[str]]()
"""Of a test: the text of each phase that failed."""

READ_ONLY = "read_only"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which cluster the tests run on."""
    group = parser.getgroup("lab", "the www cluster lab")
    group.addoption("--backend", default="docker", help="where the cluster runs (default: docker)")
    group.addoption("--host", default=None, help="the Xen host (default: the nested one)")
    group.addoption("--topology", default="full", help="a topology file, or the name of one that ships (default: full)")
    group.addoption("--family", default=None, help="the nodes' system: centos, debian or auto")
    group.addoption("--parity", default=None, help="a JSON file that compares the backends, run by run")
    group.addoption("--runs", default="runs", help="where what failing tests measured is kept (default: runs)")
    group.addoption("--keep-cluster", action="store_true", help="leave the cluster running at the end")


def pytest_configure(config: pytest.Config) -> None:
    """Ends a failed run with a table, and records the outcomes for `--parity` where it is given."""
    config.addinivalue_line("markers", f"{READ_ONLY}: breaks nothing; the next test does not check the cluster first")
    from lab.testing.failures import Failures

    config.pluginmanager.register(Failures())
    file = config.getoption("--parity")
    if file:
        from pathlib import Path

        from lab.testing.parity import Parity

        config.pluginmanager.register(Parity(Path(file), config.getoption("--backend")))


def place(config: pytest.Config) -> Placement:
    """Where the tests' clusters run; the settings of that backend are in the topology."""
    from lab import assets
    from lab.topology import find, placement

    roles = assets.outside()  # a test may use others than that topology
    try:
        return placement(
            find(config.getoption("--topology")), config.getoption("--backend"), config.getoption("--host")
        )
    finally:
        assets.use_roles(roles)


@pytest.fixture(scope="session")
def _session_cluster(request: pytest.FixtureRequest) -> Iterator[LabCluster]:
    from lab.backends import backend
    from lab.lifecycle.down import down
    from lab.progress import Silent
    from lab.testing.cluster import LabCluster
    from lab.topology import find, load

    option = request.config.getoption
    spec = load(find(option("--topology")), name=f"labtest-{os.getpid()}", family=option("--family"))
    opened = backend(place(request.config), spec.name)
    try:
        yield LabCluster(spec, opened)
    finally:
        if not option("--keep-cluster"):
            down(opened, Silent(), volumes=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remembers why the test or its setup failed, for the fixtures that end after it."""
    report = yield
    texts = item.stash.setdefault(FAILED, [])
    if report.failed:
        texts.append(f"{report.when}: {report.longreprtext}")
    return report


@pytest.fixture
def _evidence(request: pytest.FixtureRequest, _session_cluster: LabCluster) -> Iterator[Evidence]:
    from lab.errors import LabError
    from lab.testing.evidence import Evidence

    evidence = Evidence(_session_cluster)
    try:
        if not _session_cluster.left_whole or _session_cluster.applied is not _session_cluster.spec:
            _session_cluster.heal()
    except LabError as error:
        _keep(request, evidence, [f"setup: {error}"])
        raise
    _session_cluster.left_whole = False
    yield evidence
    if texts := request.node.stash.get(FAILED, []):
        _keep(request, evidence, texts)
    else:
        _session_cluster.left_whole = request.node.get_closest_marker(READ_ONLY) is not None


def _keep(request: pytest.FixtureRequest, evidence: Evidence, texts: list[str]) -> None:
    """Keeps why a test failed, what it measured, and its nodes' logs, as a run."""
    from pathlib import Path

    from lab.errors import LabError
    from lab.testing.failures import KEPT

    try:
        report = evidence.keep(Path(request.config.getoption("--runs")), request.node.name, texts)
        request.node.stash[KEPT] = str(report)
        text = f"what it measured: {report}"
    except LabError as error:
        text = f"what it measured could not be kept: {error}"
        request.node.stash[KEPT] = f"nothing: {error.what}"
    request.node.add_report_section("teardown", "lab", text)
    print(text)


@pytest.fixture
def cluster(_evidence: Evidence, _session_cluster: LabCluster) -> LabCluster:
    """A cluster that is up and whole."""
    _session_cluster.loads = _evidence.loads
    return _session_cluster


@pytest.fixture
def faults(_evidence: Evidence, cluster: LabCluster) -> Iterator[Faults]:
    """Breaks the cluster: `with faults.kill("web1"): ...`; active faults are reverted at the end."""
    from lab.testing.faults import Faults

    injector = _evidence.faults = Faults(cluster)
    yield injector
    injector.heal()


@pytest.fixture
def rounds(_evidence: Evidence, cluster: LabCluster) -> Rounds:
    """Judges promises: `for round in rounds("vip-moves"): with round, faults.kill("vip-holder"): ...`."""
    from lab.testing.rounds import Rounds

    return Rounds(cluster, _evidence)


@pytest.fixture
def check(cluster: LabCluster) -> Callable[..., CheckOutcome]:
    """A check as lessons make it: `assert check("page", url="http://web1/", has="<form").green`."""

    def ask(name: str, **parameters: Any) -> CheckOutcome:
        from lab.evidence.outcomes import Scene, question

        return question(name, parameters).ask(Scene(cluster.backend, cluster.applied or cluster.spec, cluster.plan))

    return ask


@pytest.fixture
def probe(_evidence: Evidence, cluster: LabCluster) -> Callable[[], Probes]:
    """Asks every address inside `with probe() as seen`; then `outages(seen.rows["site"])`."""

    def make() -> Probes:
        from lab.services.streams import cluster_probes

        probes = cluster_probes(cluster.backend, cluster.plan, cluster.host)
        _evidence.probes.append(probes)
        return probes

    return make


@pytest.fixture
def ledger(_evidence: Evidence, cluster: LabCluster) -> Callable[..., Ledger | OwnLedger]:
    """Writes inside `with ledger("guestbook") as book`; then `book.judge()`. Slower where processors are emulated.

    A class of the user's own stands for the name: `with ledger(Orders, rate=5, site="shop") as orders`.
    """

    def make(service: str | type, rate: float = 20.0, site: str | None = None) -> Ledger | OwnLedger:
        from lab.evidence import Ledger
        from lab.evidence.own import OwnLedger
        from lab.evidence.writers import instance
        from lab.services.entrances import entrance
        from lab.services.ledgers import LEDGERS

        book: Ledger | OwnLedger
        if isinstance(service, str):
            book = Ledger(cluster.backend, [LEDGERS[service](cluster.plan, cluster.host)], rate)
        else:
            where = entrance(cluster.backend, cluster.plan, site)
            book = OwnLedger(cluster.backend, instance(service), where, rate)
        _evidence.ledgers.append(book)
        return book

    return make
