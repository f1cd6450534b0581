"""Every fault bites, shows that it does, and leaves nothing behind; on every backend, as far as it can."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import State
from lab.backends.optional import notes
from lab.errors import SpecError
from lab.evidence import outages
from lab.evidence.probes import LATE
from lab.evidence.stalls import window
from lab.faults import Crash, Hang, heal, inject, present
from lab.faults.cut import Cut
from tests.cluster.commands import completed
from tests.markers import LVS, WEB

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.evidence import Probes
    from lab.evidence.probes import Span
    from lab.testing import Faults, LabCluster, Rounds
pytestmark = pytest.mark.smaller("the web tier is all it needs", topology=WEB)

ANSWER_SECONDS = 30.0
LAB_SECONDS = 300.0
LAB = [str(Path(sys.executable).with_name("lab"))]


def _answers(cluster: LabCluster, node: str, path: str = "/healthz") -> bool:
    address = cluster.plan.node(node).address
    patience = cluster.clock.option(1)
    return cluster.run("client", f"curl -fsS --max-time {patience} -o /dev/null http://{address}{path}").ok


def _back(cluster: LabCluster, node: str) -> None:
    """It answers again: a neighbour that was not found is asked for anew after a second."""
    cluster.until(f"{node} to answer", ANSWER_SECONDS, lambda: _answers(cluster, node))


def _state(cluster: LabCluster, node: str) -> State:
    found = cluster.backend.observe().node(node)
    assert found
    return found.state


_STOP = pytest.param("stop", marks=pytest.mark.nightly("eight seconds; at every change 'kill', to the same end"))


@pytest.mark.parametrize("kind", ["kill", _STOP, "pause"])
def test_power(cluster: LabCluster, faults: Faults, kind: str) -> None:
    wanted = {"kill": State.STOPPED, "stop": State.STOPPED, "pause": State.PAUSED}[kind]
    with faults.do(kind, "web1") as injected:
        assert _state(cluster, "web1") is wanted
        assert not _answers(cluster, "web1")
        (noted,) = present(cluster.backend)
        assert (noted.mark, noted.proof) == (injected.mark, injected.proof)
    _back(cluster, "web1")
    assert not present(cluster.backend)


@pytest.mark.read_only
def test_a_note_is_kept_changed_and_forgotten(cluster: LabCluster) -> None:
    backend = notes(cluster.backend)
    for text in ("one", "another", "another"):
        backend.note("theirs", text)
        assert backend.notes()["theirs"] == text
    backend.note("theirs", None)
    backend.note("theirs", None)
    assert "theirs" not in backend.notes()


def test_a_restarted_node_is_another_boot(cluster: LabCluster, faults: Faults) -> None:
    faults.restart("web1")
    _back(cluster, "web1")
    assert not present(cluster.backend)


def test_a_node_cut_off_from_all_keeps_its_address_and_is_healed(cluster: LabCluster, faults: Faults) -> None:
    with faults.cut("web1"):
        assert not _answers(cluster, "web1")
        assert cluster.plan.node("web1").address in cluster.run("web1", "ip -4 -o address show dev eth0").stdout
    _back(cluster, "web1")


_ONE = pytest.param("client", marks=pytest.mark.nightly("six seconds; at every change a cut from all"))


@pytest.mark.parametrize("others", [None, _ONE])
def test_a_cut_node_is_no_ones_neighbour(cluster: LabCluster, faults: Faults, others: str | None) -> None:
    """With ARP left, a balancer that is cut off claims the VIP again every five seconds, and clients follow it."""
    address = cluster.plan.node("web1").address
    with faults.cut("web1", **({"others": others} if others else {})):
        assert cluster.run_in_network("client", ["ip", "neigh", "flush", "to", address]).ok
        assert not _answers(cluster, "web1")
        known = cluster.run_in_network("client", ["ip", "neigh", "show", "to", address])
        assert known.ok
        assert "lladdr" not in known.stdout
    _back(cluster, "web1")


def test_a_cut_from_one_node_leaves_the_others(cluster: LabCluster, faults: Faults, rounds: Rounds) -> None:
    (lb,) = cluster.require("http-lb", 1)[:1]
    for round_ in rounds("web-node-leaves"):
        with round_, faults.cut("web1", others=lb) as cut:
            assert _answers(cluster, "web1")
            what, since = f"web1 to leave the pool of {lb}", cut.bitten or cut.begun
            round_.watch("web-node-leaves", since, what, lambda: cluster.pool(lb), lambda pool: "web1" not in pool)
    assert not present(cluster.backend)


_OUT = pytest.param("out", marks=pytest.mark.nightly("five seconds; at every change the other way"))


@pytest.mark.parametrize("way", ["in", _OUT])
def test_a_one_way_cut_drops_one_way(cluster: LabCluster, faults: Faults, way: str) -> None:
    with faults.cut("web1", others="client", way=way):
        assert not _answers(cluster, "web1")
        # What is not cut still arrives: the neighbour's packets are counted by the other side's kernel.
        sender, receiver = ("web1", "client") if way == "in" else ("client", "web1")
        before = _echoes(cluster, receiver)
        cluster.run(sender, f"ping -n -q -c 3 -i 0.2 -W 1 {cluster.plan.node(receiver).address}")
        assert _echoes(cluster, receiver) >= before + 3
    _back(cluster, "web1")


def _echoes(cluster: LabCluster, node: str) -> int:
    """How many echo requests a node's kernel has had."""
    rows = [line.split() for line in cluster.run(node, "grep ^Icmp: /proc/net/snmp").stdout.splitlines()]
    return int(dict(zip(*rows, strict=True))["InEchos"])


def test_a_narrow_line_is_narrow(cluster: LabCluster, faults: Faults) -> None:
    with faults.slow("web1", rate=1_000_000) as injected:
        assert "packets at once took" in injected.proof
    assert "1ab:" not in cluster.backend.run("web1", ["tc", "qdisc", "show", "dev", "eth0"]).stdout


@pytest.mark.xen_smoke("netem in the domain's kernel", topology=LVS)
def test_a_late_line_is_late(faults: Faults) -> None:
    with faults.slow("web1", delay=0.5, jitter=0.05) as injected:
        assert "fastest round trip" in injected.proof


def test_a_lossy_line_loses(faults: Faults) -> None:
    with faults.slow("web1", loss=30.0) as injected:
        assert "packets lost" in injected.proof


def test_memory_that_is_full_is_emptied_again(cluster: LabCluster, faults: Faults) -> None:
    with faults.fill("web1", "/tmp"):
        assert not cluster.run("web1", "head -c 65536 /dev/zero > /tmp/more").ok
    assert cluster.run("web1", "head -c 65536 /dev/zero > /tmp/more && rm /tmp/more").ok
    assert not cluster.run("web1", "ls -A /tmp | grep lab-fault").stdout


@pytest.mark.xen_smoke("volumes are block devices of the domain", topology=LVS)
def test_a_volume_that_is_full_refuses_a_post_and_takes_it_afterwards(cluster: LabCluster, faults: Faults) -> None:
    url = f"http://{cluster.plan.node('web1').address}/api/posts"
    curl = f"curl -sS -o /dev/null -w '%{{http_code}}' --max-time {cluster.clock.option(60)}"
    post = f"{curl} -d author=full -d message=x {url}"
    with faults.fill("web1", "guestbook"):
        assert cluster.run("client", post, seconds=60).stdout.startswith("5")
    assert cluster.run("client", post, seconds=60).stdout == "201"


@pytest.mark.xen_smoke("each domain has a kernel clock of its own", topology=LVS)
def test_a_clock_that_is_wrong_is_set_right(cluster: LabCluster, faults: Faults) -> None:
    with faults.clock("web1", skew=3600):
        assert abs(_clock(cluster, "web1") - _clock(cluster, "client") - 3600) < 60
    assert abs(_clock(cluster, "web1") - _clock(cluster, "client")) < 60


def _clock(cluster: LabCluster, node: str) -> float:
    return float(cluster.run(node, "date +%s.%N").stdout)


def test_a_frozen_service_hangs_in_a_node_that_does_not(cluster: LabCluster, faults: Faults) -> None:
    with faults.freeze("web1", "php-fpm"):
        assert cluster.run("web1", "true").ok
        assert not _answers(cluster, "web1")
    _back(cluster, "web1")


@pytest.mark.parametrize("fault", [Hang, Crash])
def test_a_process_that_one_node_lacks_is_touched_on_no_node(cluster: LabCluster, fault: type[Hang | Crash]) -> None:
    pids = cluster.run("web1", "pgrep -d , -f [p]hp-fpm").stdout.strip()
    with pytest.raises(SpecError, match="client has no process with 'php-fpm'"):
        inject(cluster.backend, fault(("web1", "client"), "php-fpm"))
    states = cluster.run("web1", f"ps -o stat= -p {pids}").stdout.split()
    assert len(states) == len(pids.split(","))
    assert not any(state.startswith("T") for state in states)
    assert not present(cluster.backend)


@pytest.mark.xen_smoke("nftables in the domain's kernel; notes on the Xen host outlive the command", topology=LVS)
def test_what_lab_did_before_it_was_killed_is_healed_by_the_next(cluster: LabCluster) -> None:
    """SIGKILL in the middle: `lab heal` finds the fault by its note, and takes nothing away that is not the lab's."""
    theirs = "add table inet theirs\nadd chain inet theirs in { type filter hook input priority 5 ; }"
    assert cluster.run_in_network("web1", ["nft", theirs]).ok
    with _breaking(cluster, "cut", "web1") as breaking:
        assert breaking.stdout
        said = breaking.stdout.readline()
        breaking.kill()
    assert "dropped" in said
    assert not _answers(cluster, "web1")
    listed = _lab(cluster, "fault", "list").stdout
    assert "cut web1 from all (both)" in " ".join(listed.split())
    done = _lab(cluster, "heal")
    assert (done.returncode, "reverted" in done.stdout) == (0, True)
    _back(cluster, "web1")
    assert "theirs" in cluster.run_in_network("web1", ["nft", "list", "tables"]).stdout
    assert _lab(cluster, "heal").stdout == "no active faults\n"
    cluster.run_in_network("web1", ["nft", "delete", "table", "inet", "theirs"])


def test_ctrl_c_takes_a_fault_back(cluster: LabCluster) -> None:
    with _breaking(cluster, "freeze", "web1", "httpd") as breaking:
        assert breaking.stdout
        assert "processes of" in breaking.stdout.readline()
        breaking.send_signal(signal.SIGINT)
        assert breaking.wait(timeout=cluster.clock.guard(60)) == 130
    assert not present(cluster.backend)
    _back(cluster, "web1")


def test_a_fault_on_a_node_that_is_down_is_refused(cluster: LabCluster) -> None:
    cluster.backend.kill("web1")
    with pytest.raises(SpecError, match="web1 is stopped; a fault needs"):
        inject(cluster.backend, Cut(("web1",)))
    assert not present(cluster.backend)
    assert _state(cluster, "web1") is State.STOPPED


def test_healing_goes_on_when_the_node_is_gone(cluster: LabCluster, faults: Faults) -> None:
    """A filter ends with its network: what is left is the note, and that goes too."""
    faults.cut("web1")
    cluster.backend.kill("web1")
    (healed,) = heal(cluster.backend)
    assert healed.fault.nodes == ("web1",)
    assert not present(cluster.backend)


def test_probes_measure_an_outage_to_their_interval(cluster: LabCluster, probe: Callable[[], Probes]) -> None:
    with probe() as seen:
        cluster.until("a first answer of web1", ANSWER_SECONDS, seen.load_run.count, lambda count: count > 100)
        pausing = cluster.clock.now()
        cluster.backend.pause("web1")
        begun = cluster.clock.now()
        before = seen.load_run.count()
        cluster.until("many more answers", 60, seen.load_run.count, lambda count: count > before + 200)
        waking = cluster.clock.now()
        cluster.backend.start("web1")
        woken = cluster.clock.now()
        _back(cluster, "web1")
        before = seen.load_run.count()
        cluster.until("more answers", 60, seen.load_run.count, lambda count: count > before + 100)
    late = cluster.clock.limit(LATE)
    outage, *others = sorted(outages(seen.rows["web1"], late), key=lambda span: span.seconds, reverse=True)
    assert not _unexplained(others, seen, late), others
    # The freeze is asked of an engine, so its own moment is only known to lie within the time that the engine took.
    slack = cluster.clock.limit(0.5)
    assert waking - begun - slack <= outage.seconds <= woken - pausing + slack
    balancers = outages(seen.rows[cluster.require("http-lb", 1)[0]], cluster.clock.limit(1))
    assert not _unexplained(balancers, seen, cluster.clock.limit(1)), balancers


def _unexplained(spans: Sequence[Span], seen: Probes, late: float) -> list[Span]:
    """Outages that the stalls of the client and of this machine do not explain: an answer is late after `late` s."""
    return [span for span in spans if span.seconds > window(seen.load_run.stalls, span.begun, late)]


def _which(cluster: LabCluster) -> list[str]:
    return ["--name", cluster.spec.name, "--backend", cluster.backend.name]


def _lab(cluster: LabCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return completed(cluster.clock, [*LAB, *arguments, *_which(cluster)], LAB_SECONDS)


def _breaking(cluster: LabCluster, *arguments: str) -> subprocess.Popen[str]:
    argv = [*LAB, "fault", *arguments, "--for", "600s", *_which(cluster)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
