"""Reconcile, up, down and status on an engine of plain values."""

from __future__ import annotations

import errno
import os
import socket
import threading
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from lab import assets
from lab.backends.base import Capabilities, Existing, Observed, Result, State
from lab.backends.memory import MemoryBackend
from lab.cli import options
from lab.errors import BackendError, BuildError, HostError, LabError, Locked, NotReady, SpecError, Taken
from lab.host.install import programs
from lab.lifecycle import families, resolve, scaling, secrets
from lab.lifecycle.doctor import engine
from lab.lifecycle.down import down
from lab.lifecycle.expected import expected
from lab.lifecycle.lock import held
from lab.lifecycle.prepare import prepare
from lab.lifecycle.reconcile import Kind
from lab.lifecycle.status import status
from lab.lifecycle.up import up
from lab.parallel import for_each
from lab.plan import plan
from lab.plan.model import Fixed, Publish
from lab.progress import Silent
from lab.recipes import recipe
from lab.topology import Cluster, load, parse
from tests.unit import conftest
from tests.unit.conftest import FULL, TAKEN, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lab.building.trial import Trial
    from lab.lifecycle.prepare import Prepared
    from lab.plan import NodePlan, Plan
    from lab.recipes import Recipe


def _kinds(cluster: Cluster, backend: MemoryBackend) -> dict[str, Kind]:
    return {action.node: action.kind for action in prepare(cluster, backend, Silent()).changes}


def test_the_first_up_creates_everything_and_the_second_nothing(full: Cluster, memory: MemoryBackend) -> None:
    assert len(up(full, memory, Silent()).changes) == 8
    assert all(node.state is State.RUNNING for node in memory.observe().nodes)
    memory.done.clear()
    assert up(full, memory, Silent()).changes == []
    assert {entry.split()[0] for entry in memory.done} <= {"run"}


def test_scaling_creates_only_what_is_new_and_updates_who_leads_there(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    memory.done.clear()
    up(parse(FULL.replace("web: {count: 3}", "web: {count: 4}")), memory, Silent())
    assert [entry for entry in memory.done if entry.startswith("create")] == ["create web4"]
    # The new node is ready before anybody is told of it.
    assert memory.done.index("run web4 await") < min(memory.done.index(f"put http-lb{n}") for n in (1, 2))
    assert "run http-lb1 reload" in memory.done


def test_a_node_that_is_too_many_goes_last(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    memory.done.clear()
    up(parse(FULL.replace("web: {count: 3}", "web: {count: 2}")), memory, Silent())
    assert memory.done.index("run http-lb2 reload") < memory.done.index("stop web3") < memory.done.index("remove web3")


def test_a_changed_option_is_a_copy_and_a_reload(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    sticky = parse(FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}"))
    (first, second) = prepare(sticky, memory, Silent()).changes
    assert (first.kind, first.files) == (Kind.UPDATE, ("/etc/lab/haproxy.cfg",))
    assert second.node == "http-lb2"


def test_dead_and_paused_nodes_are_started(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    memory.kill("web1")
    memory.pause("tcp-lb1")
    assert _kinds(full, memory) == {"web1": Kind.START, "tcp-lb1": Kind.START}
    up(full, memory, Silent())
    assert _kinds(full, memory) == {}


def test_another_port_recreates_the_client_alone_and_says_so(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    other = parse(FULL.replace("8404", "8505"))
    (change,) = prepare(other, memory, Silent()).changes
    assert (change.node, change.kind, change.why) == ("client", Kind.RECREATE, "changed: publish")


def test_replacements_come_a_few_at_a_time(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    for node in ("web1", "web2", "web3"):
        memory.forget(node)
    memory.done.clear()
    up(full, memory, Silent())
    removed = [memory.done.index(f"remove web{number}") for number in (1, 2, 3)]
    started = [memory.done.index(f"start web{number}") for number in (1, 2, 3)]
    assert removed[0] < started[0] < removed[1] < started[1] < removed[2]
    assert "run http-lb1 await" in memory.done[started[0] : removed[1]], "the pools are full again in between"


def test_reloads_come_a_few_at_a_time_and_wait_for_the_pools(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    memory.done.clear()
    up(parse(FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}")), memory, Silent())
    reloads = [memory.done.index(f"run http-lb{number} reload") for number in (1, 2)]
    assert "run tcp-lb1 await" in memory.done[reloads[0] : reloads[1]]


def test_another_network_takes_everything_down_first(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    memory.done.clear()
    up(parse(FULL.replace("10.90.0", "10.91.0")), memory, Silent())
    assert memory.done.index("clear volumes=False") < memory.done.index("create web1")
    assert memory.observe().network == "10.91.0.0/24"


def test_up_cut_short_before_its_files_is_repaired(full: Cluster, memory: MemoryBackend) -> None:
    made = plan(full, "debian")
    memory.create(made, made.node("web1"), {})
    changes = {action.node: action for action in prepare(full, memory, Silent()).changes}
    assert (changes["web1"].kind, changes["web1"].why) == (Kind.RECREATE, "was never started")
    up(full, memory, Silent())
    assert _kinds(full, memory) == {}


def test_up_does_not_succeed_beside_a_node_that_it_left_alone_and_that_is_not_ready(
    full: Cluster, memory: MemoryBackend
) -> None:
    up(full, memory, Silent())
    memory.answers["await"] = (1, "httpd: httpd does not answer")
    with pytest.raises(NotReady, match="web1 is not ready"):
        up(full, memory, Silent())


def test_a_reload_that_fails_is_an_error_and_is_tried_again(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    memory.answers["reload"] = (1, "the new haproxy.cfg is not valid")
    sticky = parse(FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}"))
    with pytest.raises(BackendError, match=r"http-lb1 rejected its new files: the new haproxy.cfg is not valid"):
        up(sticky, memory, Silent())
    del memory.answers["reload"]
    assert set(_kinds(sticky, memory)) == {"http-lb1", "http-lb2"}


def test_what_is_not_ready_is_named_with_its_last_lines(full: Cluster, memory: MemoryBackend) -> None:
    memory.answers["await"] = (1, "httpd: /healthz says 503")
    with pytest.raises(NotReady) as caught:
        up(full, memory, Silent(), seconds=1)
    assert "tcp-lb1 is not ready after 0 s: httpd: /healthz says 503" in str(caught.value)
    assert "| create tcp-lb1" in str(caught.value)
    assert "lab logs tcp-lb1" in str(caught.value)
    assert str(caught.value).count("\n") < 25, "eight nodes that fail fit on one screen"


class CentosBreaks(MemoryBackend):
    """CentOS is to be had, and does not build."""

    def has_base_image(self, family: str, seconds: float) -> bool:
        return seconds > 0 and family in ("centos", "debian")

    def build(
        self, recipes: Sequence[Recipe], report: Callable[[str, str], None], trial: Callable[[str], Trial]
    ) -> None:
        if recipes[0].family == "centos":
            raise BuildError("the image web (centos) did not build", step="Step 2/4 : RUN dnf", log="/x.log")
        super().build(recipes, report, trial)


class NeverReady(MemoryBackend):
    """CentOS can be had and builds; no node of the families that are named becomes ready."""

    fails: tuple[str, ...] = ("centos",)

    def has_base_image(self, family: str, seconds: float) -> bool:
        return seconds > 0 and family in ("centos", "debian")

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        done = super().run(node, argv, seconds=seconds)
        family = self._nodes[node].image.partition(":")[2].partition("-")[0]
        return replace(done, rc=1) if argv[0].endswith("await") and family in self.fails else done


class Heard(Silent):
    """Remembers what was said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_auto_falls_back_to_debian_loudly(full: Cluster) -> None:
    backend, heard = CentosBreaks("golden"), Heard()
    assert up(full, backend, heard).plan.family == "debian"
    said = "\n".join(heard.lines)
    assert "family: centos" in said
    assert "WARNING" in said
    assert "Step 2/4 : RUN dnf" in said
    assert "/x.log" in said


def test_a_first_up_that_does_not_become_ready_falls_back_and_is_remembered(full: Cluster) -> None:
    backend, heard = NeverReady("golden"), Heard()
    assert up(full, backend, heard, seconds=1).plan.family == "debian"
    assert "CentOS did not become ready here; falling back" in "\n".join(heard.lines)
    assert "clear volumes=True" in backend.done
    down(backend, Silent(), volumes=True)
    again = Heard()
    assert up(full, backend, again, seconds=1).plan.family == "debian"
    assert "CentOS failed here: " in "\n".join(again.lines)


def test_data_that_was_there_before_is_never_removed_by_a_fallback(full: Cluster) -> None:
    """Whatever this home knows of it: the engine says whether there are volumes."""
    backend = NeverReady("golden")
    backend.fails = ()
    up(full, backend, Silent())
    down(backend, Silent())
    secrets.forget("golden")  # a home that was lost, with an engine that lost its notes
    for key in list(backend.notes()):
        backend.note(key, None)
    backend.done.clear()
    backend.fails = ("centos",)
    with pytest.raises(NotReady):
        up(full, backend, Silent(), seconds=1)
    assert "clear volumes=True" not in backend.done


def test_what_fails_with_both_families_is_nobodys_fault(full: Cluster) -> None:
    backend = NeverReady("golden")
    backend.fails = ("centos", "debian")
    with pytest.raises(NotReady):
        up(full, backend, Silent(), seconds=1)
    assert families.failed(["web"], "centos") == ""


def test_an_up_that_made_nothing_chooses_no_family() -> None:
    """A subnet is taken at the first attempt, and the second one may fall back still."""

    class Both(NeverReady):
        taken = 1

        def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
            if self.taken:
                self.taken -= 1
                raise Taken("creating the network: another one has the subnet")
            super().create(plan, node, files)

    few = parse("name: golden\nweb: {count: 1}\n")
    assert up(few, Both("golden"), Silent(), seconds=1).plan.family == "debian"


def test_centos_that_was_broken_off_and_never_ready_keeps_its_data_and_names_the_way(full: Cluster) -> None:
    """An `up` that was ended midway left nodes: somebody may have used them, so that nothing is removed by itself."""

    class Interrupted(NeverReady):
        """The person presses Ctrl-C while nodes are awaited."""

        patient = False

        def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
            if argv[0].endswith("await") and not self.patient:
                raise KeyboardInterrupt
            return super().run(node, argv, seconds=seconds)

    backend = Interrupted("golden")
    with pytest.raises(KeyboardInterrupt):
        up(full, backend, Silent())
    backend.patient = True
    with pytest.raises(NotReady) as caught:
        up(full, backend, Silent())
    assert "never ready with CentOS" in caught.value.next_step
    assert "'lab down --volumes' and 'lab up --family debian'" in caught.value.next_step
    assert backend.observe().family == "centos"
    backend.fails = ()
    up(full, backend, Silent())
    backend.fails = ("centos",)
    with pytest.raises(NotReady) as later:
        up(full, backend, Silent())
    assert "never ready" not in later.value.next_step


def test_a_cluster_of_which_nothing_is_noted_is_never_called_unused(full: Cluster) -> None:
    """One of an earlier version, or one that was made with `--no-wait`."""
    backend = NeverReady("golden")
    backend.fails = ()
    up(full, backend, Silent(), wait=False)
    backend.fails = ("centos",)
    with pytest.raises(NotReady) as caught:
        up(full, backend, Silent())
    assert "never ready" not in caught.value.next_step


def test_an_explicit_centos_that_breaks_is_an_error_and_nothing_is_made(full: Cluster) -> None:
    backend = CentosBreaks("golden")
    with pytest.raises(BuildError, match="did not build"):
        up(full.model_copy(update={"family": "centos"}), backend, Silent())
    assert backend.observe().nodes == ()


def test_down_removes_all_and_volumes_only_when_asked(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    assert secrets.known("golden", "ca-certificate")
    assert down(memory, Silent()) == 8
    assert memory.done[-1] == "clear volumes=False"
    assert secrets.known("golden", "ca-certificate"), "the CA that a browser trusts stays"
    down(memory, Silent(), volumes=True, keep_backups=True)
    assert memory.done[-1] == "clear volumes=True backup"
    assert secrets.known("golden", "ca-certificate"), "without the secrets nobody could read the backups"
    down(memory, Silent(), volumes=True)
    assert secrets.known("golden", "ca-certificate") is None


def test_secrets_are_private_and_the_certificate_follows_the_vip(full: Cluster) -> None:
    made = plan(full, "debian")
    first = secrets.ensure(made)
    assert secrets.ensure(made) == first
    for path in secrets.folder("golden").iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    other = secrets.ensure(plan(parse(FULL + "vip: 10.90.0.99"), "debian"))
    assert other["ca-certificate"] == first["ca-certificate"]
    assert other["site-certificate"] != first["site-certificate"]


def test_a_nodes_certificate_follows_its_address_and_the_vip() -> None:
    """As where another cluster took the subnet while this one was down: a client knows mail by the VIP's address."""
    here = f"{WHOLE}users: {{}}\n"
    first = secrets.ensure(plan(parse(here), "debian"))
    assert secrets.ensure(plan(parse(here), "debian")) == first
    moved = secrets.ensure(plan(parse(here.replace("10.90.0", "10.90.7")), "debian"))
    changed = {name for name in first if name in moved and first[name] != moved[name]}
    assert changed == {name for name in first if "certificate" in name} - {"ca-certificate"}
    assert {"certificate-mail1", "certificate-mysql1", "site-certificate"} <= changed
    held = x509.load_pem_x509_certificate(
        moved["certificate-mail1"].encode()[moved["certificate-mail1"].index("-----BEGIN CERT") :]
    )
    names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert IPv4Address("10.90.7.100") in names.get_values_for_type(x509.IPAddress)


def test_status_says_who_is_not_ready_and_why(full: Cluster, memory: MemoryBackend) -> None:
    assert status(memory).ready is False
    up(full, memory, Silent())
    memory.answers["ready"] = (1, "php-fpm: gone")
    memory.kill("web2")
    found = {node.name: node for node in status(memory).nodes}
    assert found["web2"].reason == "is stopped"
    assert found["web1"].reason == "php-fpm: gone"
    assert not status(memory).ready


def test_a_second_command_waits_and_then_says_who_is_there() -> None:
    heard, inside, leave = Heard(), threading.Event(), threading.Event()

    def first() -> None:
        with held("golden", "lab up", Silent()):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=first)
    holder.start()
    inside.wait(10)
    with pytest.raises(Locked, match="busy with 'lab up'"), held("golden", "lab down", heard, seconds=0.3):
        pass
    assert "waiting" in heard.lines[0]
    leave.set()
    holder.join()
    with held("golden", "lab down", heard, seconds=0.3):
        pass


def test_family_choices(full: Cluster, memory: MemoryBackend) -> None:
    heard = Heard()
    assert resolve.family(full, memory.observe(), memory, heard) == "debian"
    assert "no registry" in heard.lines[0]
    up(full, memory, Silent())
    assert resolve.family(full, memory.observe(), CentosBreaks("golden"), heard) == "debian", "what is there stays"


def test_a_free_subnet_is_found_and_a_taken_one_refused() -> None:
    taken = Capabilities("memory", subnets={"10.90.0.0/23": "the Docker network other"})
    cluster = parse("web:\n")
    made = resolve.places(cluster, MemoryBackend("x").observe(), taken)
    assert str(made.network) == "10.90.2.0/24"
    with pytest.raises(HostError, match=r"10.90.1.0/24 collides with 10.90.0.0/23, the Docker network other"):
        resolve.places(parse("network: 10.90.1.0/24\nweb:"), MemoryBackend("x").observe(), taken)
    all_taken = Capabilities("memory", subnets={"10.90.0.0/16": "a route"})
    with pytest.raises(HostError, match="no subnet"):
        resolve.places(cluster, MemoryBackend("x").observe(), all_taken)


def test_a_subnet_of_which_a_part_was_taken_is_left_and_a_wider_route_does_no_harm() -> None:
    existing, chosen, tunnel = Existing(network="10.90.1.0/24"), parse("web:\n"), "a route of this machine (tun0)"
    vpn = Capabilities("memory", subnets={"10.90.1.128/25": tunnel})
    wide = Capabilities("memory", subnets={"10.0.0.0/8": tunnel})
    network = Capabilities("memory", subnets={"10.90.0.0/16": "the Docker network other"})
    assert str(resolve.places(chosen, existing, vpn).network) == "10.90.0.0/24"
    assert resolve.subnet_conflict(existing, vpn) == f"10.90.1.0/24 collides with 10.90.1.128/25, {tunnel}"
    assert str(resolve.places(chosen, existing, wide).network) == "10.90.1.0/24"
    assert not resolve.subnet_conflict(existing, wide)
    own = parse("network: 10.90.1.0/24\nweb:")
    assert str(resolve.places(own, existing, wide).network) == "10.90.1.0/24"
    with pytest.raises(HostError, match="the Docker network other"):
        resolve.places(own, existing, network)
    with pytest.raises(HostError, match=r"collides with 10\.90\.1\.128/25"):
        resolve.places(own, existing, vpn)


def test_ports_are_kept_usual_or_free_and_a_taken_one_is_named(full: Cluster, memory: MemoryBackend) -> None:
    nowhere = Capabilities("memory")
    made = resolve.places(parse("web:\nhttp-lb:"), memory.observe(), nowhere).ports.by_name()
    assert made["site"] == 8443
    assert isinstance(made["site-http"], int)
    assert made["site-http"] not in TAKEN, "the usual one is taken"
    up(full, memory, Silent())
    assert resolve.places(parse("web:\nhttp-lb:"), memory.observe(), nowhere).ports.by_name()["site-http"] == 8081, (
        "it stays"
    )
    memory.kill("client")
    TAKEN.add(8081)
    try:
        moved = resolve.places(parse("web:\nhttp-lb:"), memory.observe(), nowhere).ports.by_name()["site-http"]
    finally:
        TAKEN.remove(8081)
    assert moved not in (8080, 8081), "somebody else took it while the client was down"
    with pytest.raises(HostError, match=r"port 9999 of 127.0.0.1, requested for 'site', is in use") as caught:
        resolve.places(parse("web:\nports: {site: 9999}"), memory.observe(), nowhere)
    assert "--port site=NUMBER" in caught.value.next_step
    assert (
        resolve.places(parse("web:\nports: {site: 'off'}"), memory.observe(), nowhere).ports.by_name()["site"] == "off"
    )


def test_ports_of_an_engine_elsewhere_are_those_that_it_publishes() -> None:
    elsewhere = Capabilities("far", published=frozenset({8443, 9000}))
    made = resolve.places(parse("web:\nhttp-lb:"), Existing(), elsewhere).ports.by_name()
    assert made["site-http"] == 8080, "what this machine has taken is in nobody's way there"
    assert isinstance(made["site"], int)
    assert made["site"] not in (8443, 9000)
    with pytest.raises(HostError, match="port 9000 of the engine's machine, requested for 'site', is in use"):
        resolve.places(parse("web:\nports: {site: 9000}"), Existing(), elsewhere)


def test_no_two_names_get_one_port() -> None:
    """One that was asked for may be the usual one of another."""
    nowhere = Capabilities("memory")
    made = resolve.places(parse("web:\nhttp-lb:\nports: {stats: 8443}"), Existing(), nowhere).ports.by_name()
    assert made["stats"] == 8443
    assert made["site"] != 8443
    client = Fixed("client", "client", "image", "10.90.0.81", publish=(Publish("site", 8443, 443),))
    held = Existing((Observed(client, State.STOPPED),))
    moved = resolve.places(parse("web:\nhttp-lb:\nports: {stats: 8443}"), held, nowhere).ports.by_name()
    assert (moved["stats"], moved["site"] == 8443) == (8443, False)
    with pytest.raises(HostError, match="port 9443 is requested for 'stats' and for another name"):
        resolve.places(parse("web:\nhttp-lb:\nports: {site: 9443, stats: 9443}"), Existing(), nowhere)


def test_what_has_the_clusters_names_and_is_not_the_labs_is_named(full: Cluster) -> None:
    made = plan(full, "debian")
    for name, what in {"": "the network lab-golden", "web1": "the container golden-web1"}.items():
        with pytest.raises(HostError, match=f"{what} already exists and is not the lab's") as caught:
            resolve.admit(made, Capabilities("memory", foreign={name: what}))
        assert "--name" in caught.value.next_step
    resolve.admit(made, Capabilities("memory", foreign={"web99": "the container golden-web99"}))


def test_a_port_that_the_engine_can_not_publish_is_refused_and_one_that_this_user_can_not_bind_is_not() -> None:
    rootless = Capabilities("Docker without root", least_port=1024)
    with pytest.raises(HostError, match="Docker without root cannot publish port 81, requested for 'site'") as caught:
        resolve.places(parse("web:\nports: {site: 81}"), Existing(), rootless)
    assert "from 1024 on" in caught.value.next_step
    assert (
        resolve.places(parse("web:\nports: {site: 81}"), Existing(), Capabilities("Docker")).ports.by_name()["site"]
        == 81
    )


@pytest.mark.parametrize(("number", "there"), [(errno.EADDRINUSE, False), (errno.EACCES, True), (errno.EPERM, True)])
def test_a_port_that_somebody_has_is_not_free_and_one_that_only_the_engine_may_bind_is(
    monkeypatch: pytest.MonkeyPatch, number: int, *, there: bool
) -> None:
    def refuse(_: socket.socket, __: object) -> None:
        raise OSError(number, os.strerror(number))

    assert conftest.REAL_FREE(0)
    monkeypatch.setattr(socket.socket, "bind", refuse)
    assert conftest.REAL_FREE(443) is there
    assert conftest.REAL_FREE(443, {443}) is False
    assert conftest.REAL_FREE(443, {80}) is True


def test_a_choice_that_can_not_be_seen_to_be_taken_is_made_twice_and_no_more() -> None:
    class Held(MemoryBackend):
        """A program that is no container has the port, on a machine that is not this one."""

        tries = 0

        def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
            del plan, node, files
            self.tries += 1
            raise Taken("starting client: a port is taken", next_step="--port NAME=NUMBER")

    backend = Held("golden")
    with pytest.raises(Taken):
        up(parse("name: golden\nweb: {count: 1}\nports: {site-http: 8081}\n"), backend, Silent())
    assert backend.tries <= 4, "two nodes, made side by side, twice"


def test_what_the_engine_can_not_do_is_refused_by_name(full: Cluster) -> None:
    made = replace(plan(full, "debian"), needs=("ip_vs",))
    with pytest.raises(HostError, match="no 'ip_vs'"):
        resolve.admit(made, Capabilities("memory"))
    resolve.admit(made, Capabilities("memory", kernel=frozenset({"ip_vs"})))


def test_one_error_for_all_that_failed() -> None:
    def work(item: int) -> None:
        if item:
            raise BackendError(f"number {item}")

    for_each([0, 0], work)
    with pytest.raises(BackendError, match="number 1"):
        for_each([0, 1], work)
    with pytest.raises(NotReady, match="number 1\nnumber 2"):
        for_each([1, 2], work)


def test_the_doctor_gives_reason_and_way_round() -> None:
    found = {finding.subject: finding for finding in engine(Capabilities("Docker", kernel=frozenset({"fuse"})))}
    assert found["kernel: fuse"].good
    assert not found["kernel: ip_vs"].good
    assert "haproxy" in found["kernel: ip_vs"].way_round
    assert {"docker command", "mmdebstrap"} <= {finding.subject for finding in programs()}


def test_only_missing_images_are_built(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    assert sorted(memory.built) == sorted(recipe(role, "debian").tag for role in ("web", "http-lb", "tcp-lb", "client"))


class Interrupted(MemoryBackend):
    """Ends before a change to a node, once so many were made; of files it copies only the first."""

    def __init__(self, changes: int) -> None:
        super().__init__("golden", Capabilities("memory", kernel=frozenset({"fuse"})))
        self.left = changes

    def put(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        try:
            self._count()
        except BackendError:
            super().put(node, dict([*files.items()][: len(files) // 2]))
            raise
        super().put(node, files)

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        self._count()
        if argv[0] == "rm":
            for path in argv[2:]:
                self.files[node].pop(path, None)
        return super().run(node, argv, seconds=seconds)

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        self._count()
        super().create(plan, node, files)

    def note(self, key: str, text: str | None) -> None:
        self._count()
        super().note(key, text)

    def start(self, node: str) -> None:
        self._count()
        super().start(node)

    def stop(self, node: str) -> None:
        self._count()
        super().stop(node)

    def remove(self, node: str) -> None:
        self._count()
        super().remove(node)

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise BackendError("interrupted")


FEW = FULL.replace("{count: 3}", "{count: 1}").replace("{count: 2}", "{count: 1}")
PERSON = "{keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBcWwD1sSUBbMpGK1SYCjNEIvOu7ntZ8WvR1Pf8mqXVh ann@home]}"
PEOPLE = f"{FEW}storage: {{count: 1}}\nshell: {{count: 1}}\nusers: {{ann: {PERSON}}}\n"
DATABASE = f"{FEW}mysql: {{count: 2}}\n"
OTHER = {
    "an option": (FEW, FEW.replace("web: {count: 1}", "web: {count: 1, sticky: true}")),
    "more nodes": (FEW, FEW.replace("web: {count: 1}", "web: {count: 2}")),
    "fewer nodes": (FEW.replace("http-lb: {count: 1}", "http-lb: {count: 2}"), FEW),
    "a role more": (FEW, DATABASE),
    "a role less": (DATABASE, FEW),
    "an option and fewer nodes": (DATABASE, DATABASE.replace("{count: 2}", "{count: 1, patience: 3}")),
    "a user more": (PEOPLE, PEOPLE.replace("{ann:", f"{{bob: {PERSON}, ann:")),
    "a user less": (PEOPLE.replace("{ann:", f"{{bob: {PERSON}, ann:"), PEOPLE),
    "a port, so another client": (FEW, FEW.replace("8404", "8505")),
    "another VIP": (FEW, FEW + "vip: 10.90.0.99\n"),
}


@pytest.mark.parametrize("change", OTHER)
def test_a_change_that_was_interrupted_anywhere_is_reverted_whole(change: str) -> None:
    """And whichever topology is asked for next: no node keeps a file of the other one."""
    few, other = map(parse, OTHER[change])
    for step in range(1, 1000):
        backend = Interrupted(0)
        up(few, backend, Silent())
        backend.left = step
        try:
            up(other, backend, Silent())
        except LabError:
            done = False
        else:
            done = backend.left > 0
        backend.left = 0
        up(few, backend, Silent())
        assert backend.files == _files(prepare(few, backend, Silent())), f"interrupted before change {step}"
        if done:
            return
    pytest.fail("the change never came to its end")


def _files(prepared: Prepared) -> dict[str, dict[str, bytes]]:
    return {name: {path: content for path, (content, _) in files.items()} for name, files in prepared.files.items()}


class Raced(MemoryBackend):
    """An engine on which others are quicker, so many times."""

    def __init__(self, times: int) -> None:
        super().__init__("golden")
        self.times = times

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        if self.times:
            self.times -= 1
            raise Taken(f"creating {node.name}: another network has the subnet", where="network")
        super().create(plan, node, files)


def test_what_several_attempts_did_is_told_as_one() -> None:
    """The first one made nodes, the second one found them."""

    class Late(MemoryBackend):
        """The port of the client, which is started last, was taken meanwhile."""

        taken = True

        def start(self, node: str) -> None:
            if self.taken and node == "client":
                self.taken = False
                raise Taken("starting client: a port is taken")
            super().start(node)

    backend = Late("golden")
    changes = up(parse("name: golden\nweb: {count: 2}\n"), backend, Silent()).changes
    assert {(change.kind, change.node) for change in changes} == {(Kind.CREATE, n) for n in ("web1", "web2", "client")}


def test_the_topology_that_a_cluster_was_made_from_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an option, in a folder without one: not `full`, which would add or remove nodes."""
    monkeypatch.chdir(tmp_path)
    shipped = assets.topologies()
    assert options.topology(None, "golden") == shipped["full"], "nothing is known of it"
    up(load(shipped["stage1"], name="golden"), MemoryBackend("golden"), Silent())
    assert options.topology(None, "golden") == shipped["stage1"]
    assert options.topology("stage3", "golden") == shipped["stage3"]
    assert options.topology(None, "other") == shipped["full"]
    own = tmp_path / "shop.yaml"
    own.write_text("name: golden\nweb: {count: 1}\n", encoding="utf-8")
    up(load(own), MemoryBackend("golden"), Silent())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert options.topology(None, "golden") == own
    (elsewhere / "cluster.yaml").write_text("name: golden\nweb:\n", encoding="utf-8")
    assert options.topology(None, "golden") == Path("cluster.yaml")
    (elsewhere / "cluster.yaml").unlink()
    own.unlink()
    with pytest.raises(SpecError, match=r"there is no topology file .*shop\.yaml"):
        options.topology(None, "golden")


def test_a_damaged_note_is_in_the_way_of_no_verb_that_needs_no_topology(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    up(load(assets.topologies()["stage1"], name="golden"), MemoryBackend("golden"), Silent())
    note = secrets.folder("golden") / "topology"
    note.write_bytes(b"\xff\xfe")
    assert options.place(None, None, None, "golden").backend == "docker", "'down' and 'status' go on"
    with pytest.raises(HostError, match="the note 'topology'") as caught:
        options.topology(None, "golden")
    assert caught.value.where == str(note)
    assert "-f names the topology" in caught.value.next_step
    assert options.topology("stage3", "golden") == assets.topologies()["stage3"]


def test_a_fall_back_keeps_what_the_cluster_was_made_from() -> None:
    """The first attempt is removed with all that is kept of the cluster."""
    shipped = load(assets.topologies()["stage1"], name="golden")
    assert up(shipped, NeverReady("golden"), Silent(), seconds=1).plan.family == "debian"
    assert options.topology(None, "golden") == assets.topologies()["stage1"]
    down(NeverReady("golden"), Silent(), volumes=True)
    with pytest.raises(BuildError):
        up(load(assets.topologies()["stage3"], name="golden", family="centos"), CentosBreaks("golden"), Silent())
    assert options.topology(None, "golden") == assets.topologies()["full"], "it was not applied"


def test_random_ports_differ_from_those_that_were_asked_for() -> None:
    far = Capabilities("far", published=frozenset({8080}))
    taken = parse("web:\nhttp-lb:\nports: {site: 20000, stats: 20001}")
    for _ in range(20):
        ports = [
            port for port in resolve.places(taken, Existing(), far).ports.by_name().values() if isinstance(port, int)
        ]
        assert len(ports) == len(set(ports))


def test_what_was_taken_meanwhile_is_chosen_again_and_not_for_ever() -> None:
    one = parse("name: golden\nweb: {count: 1}\n")
    assert {node.name for node in up(one, Raced(3), Silent()).plan.nodes} == {"client", "web1"}
    with pytest.raises(Taken, match="another network has the subnet"):
        up(one, Raced(1000), Silent())


# What can't be scaled


@pytest.fixture
def storing() -> MemoryBackend:
    """An engine on which storage can run."""
    return MemoryBackend("golden", Capabilities("memory", kernel=frozenset({"fuse"})))


@pytest.mark.parametrize("state", ["running", "down", "by an earlier version", "a node removed by hand"])
@pytest.mark.parametrize(("made", "wanted"), [(3, 5), (3, 1), (1, 3)])
def test_another_number_of_storage_nodes_is_refused_before_anything_is_touched(
    storing: MemoryBackend, state: str, made: int, wanted: int
) -> None:
    text = f"{FEW}storage: {{count: %d}}\n"
    up(parse(text % made), storing, Silent())
    if state == "down":
        down(storing, Silent())
    if state == "by an earlier version":
        storing.note("kept-storage", None)
    if state == "a node removed by hand":
        storing.remove(f"storage{made}")
    kept = {name: dict(files) for name, files in storing.files.items()}
    storing.done.clear()
    with pytest.raises(SpecError, match=f"have copies on {made} storage nodes, not on {wanted}") as caught:
        up(parse(text % wanted), storing, Silent())
    assert f"count: {made}" in caught.value.next_step
    assert (storing.done, storing.files) == ([], kept)
    up(parse(text % made), storing, Silent())
    up(parse(FEW), storing, Silent())  # the role may go, and come back to its volumes
    with pytest.raises(SpecError, match="storage nodes"):
        up(parse(text % wanted), storing, Silent())


@pytest.mark.parametrize("keep_backups", [True, False])
def test_with_empty_volumes_any_number_of_storage_nodes_is_good(storing: MemoryBackend, *, keep_backups: bool) -> None:
    text = f"{FEW}storage: {{count: %d}}\n"
    up(parse(text % 3), storing, Silent())
    down(storing, Silent(), volumes=True, keep_backups=keep_backups)
    up(parse(text % 5), storing, Silent())


@pytest.mark.parametrize("state", ["down", "stopped", "one is stopped", "one was removed", "an earlier version's"])
def test_fewer_mysql_nodes_are_refused_where_not_all_of_them_run(memory: MemoryBackend, state: str) -> None:
    text = f"{FEW}mysql: {{count: %d}}\n"
    up(parse(text % 3), memory, Silent())
    if state == "down":
        down(memory, Silent())
    elif state == "one was removed":
        memory.remove("mysql3")
    else:
        for number in range(1, 2 if state.startswith("one") else 4):
            memory.kill(f"mysql{number}")
    if state.startswith("an earlier"):
        memory.note("kept-mysql", None)
    memory.done.clear()
    with pytest.raises(SpecError, match="all are needed to change to 1"):
        up(parse(text % 1), memory, Silent())
    assert not memory.done
    up(parse(text % 3), memory, Silent())
    up(parse(text % 1), memory, Silent())
    down(memory, Silent())
    up(parse(text % 1), memory, Silent())
    up(parse(text % 3), memory, Silent())


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize(
    ("made", "wanted", "said"),
    [
        ("count: 3, topology: galera", "count: 1, topology: galera", "keeps its 3 nodes"),
        ("count: 1, topology: galera", "count: 3, topology: galera", "keeps its 1 nodes"),
        ("count: 3, topology: galera", "count: 3", "made with 'topology: galera'"),
        ("count: 3", "count: 3, topology: galera", "made with 'topology: replication'"),
    ],
)
def test_what_galera_can_not_do_is_refused_before_anything_is_touched(
    memory: MemoryBackend, made: str, wanted: str, said: str, *, running: bool
) -> None:
    up(parse(f"{FEW}mysql: {{{made}}}\n"), memory, Silent())
    if not running:
        down(memory, Silent())
    memory.done.clear()
    with pytest.raises(SpecError, match=said):
        up(parse(f"{FEW}mysql: {{{wanted}}}\n"), memory, Silent())
    assert not memory.done
    down(memory, Silent(), volumes=True)
    up(parse(f"{FEW}mysql: {{{wanted}}}\n"), memory, Silent())


@pytest.mark.parametrize(("had", "wanted"), [(3, 2), (2, 3)])
def test_mysql_goes_between_two_and_three_nodes_by_way_of_one(memory: MemoryBackend, had: int, wanted: int) -> None:
    text = f"{FEW}mysql: {{count: %d}}\n"
    up(parse(text % had), memory, Silent())
    memory.done.clear()
    with pytest.raises(SpecError, match=f"from {had} nodes to {wanted}"):
        up(parse(text % wanted), memory, Silent())
    assert not memory.done
    up(parse(text % 1), memory, Silent())
    up(parse(text % wanted), memory, Silent())


def test_a_scaling_that_was_interrupted_still_needs_those_that_were_to_go(memory: MemoryBackend) -> None:
    text = f"{FEW}mysql: {{count: %d}}\n"
    up(parse(text % 3), memory, Silent())
    memory.answers["reload"] = (1, "interrupted")
    with pytest.raises(LabError, match="interrupted"):
        up(parse(text % 1), memory, Silent())
    del memory.answers["reload"]
    down(memory, Silent())
    with pytest.raises(SpecError, match="all are needed"):
        up(parse(text % 1), memory, Silent())


# Who is missing, and who is not ready

BALANCED = FULL.replace("tcp-lb: {count: 2}\n", "")
"""Without a VIP, which nobody can hold on an engine of plain values."""


def test_a_node_that_was_removed_by_hand_is_missed(memory: MemoryBackend) -> None:
    up(parse(BALANCED), memory, Silent())
    assert status(memory).ready
    memory.remove("web3")
    found = status(memory)
    assert not found.ready
    assert {node.name: node.state for node in found.nodes if not node.ready} == {"web3": "missing"}
    assert "'lab up' makes it" in found.nodes[-1].reason
    up(parse(BALANCED), memory, Silent())
    assert status(memory).ready
    up(parse(BALANCED.replace("web: {count: 3}", "web: {count: 2}")), memory, Silent())
    assert status(memory).ready, "it is not missed where the topology has it no more"
    for node in memory.observe().nodes:
        memory.remove(node.name)
    assert len(status(memory).nodes) == 5
    down(memory, Silent())
    assert status(memory).nodes == [], "nobody is missed after 'down'"


def test_a_change_of_something_else_keeps_the_place_of_a_missing_node(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    memory.remove("web3")
    few = parse(FULL.replace("web: {count: 3}", "web: {count: 1}"))
    kept = resolve.as_many(few, expected(memory, memory.observe()))
    assert kept.web
    assert kept.web.count == 3


class Sick(MemoryBackend):
    """Two web nodes are not ready until the last of both has new files: each waits for what comes with the other's."""

    sick: tuple[str, ...] = ("web1", "web3")

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        done = super().run(node, argv, seconds=seconds)
        well = all(f"put {name}" in self.done for name in self.sick)
        waits = argv[0].rpartition("/")[2] in ("ready", "await")
        everybody = "check.d" in argv  # a balancer whose pool lacks one
        return replace(done, rc=1) if waits and not well and (node in self.sick or everybody) else done


def test_nobody_waits_for_a_node_that_a_later_wave_mends() -> None:
    backend = Sick("golden")
    backend.sick = ()
    up(parse(FULL), backend, Silent())
    backend.sick = ("web1", "web3")
    backend.done.clear()
    changed = parse(FULL.replace("web: {count: 3}", "web: {count: 3, php-children: 20}"))
    up(changed, backend, Silent(), seconds=1)
    assert max(backend.done.index(f"put web{number}") for number in (1, 3)) < backend.done.index("put web2")
    assert all(node.ready for node in status(backend).nodes)


class Joining(MemoryBackend):
    """A new mysql node is not ready before the old one has been told of it."""

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        done = super().run(node, argv, seconds=seconds)
        told = "put mysql1" in self.done
        return replace(done, rc=1) if argv[0].endswith("await") and node in ("mysql2", "mysql3") and not told else done


def test_an_old_mysql_node_is_told_of_new_ones_that_wait_for_that() -> None:
    backend = Joining("golden")
    up(parse(f"{FEW}mysql: {{count: 1}}\n"), backend, Silent())
    backend.done.clear()
    up(parse(f"{FEW}mysql: {{count: 3}}\n"), backend, Silent(), seconds=1)
    assert backend.done.index("start mysql3") < backend.done.index("put mysql1")


def test_members_that_an_earlier_version_made_are_counted_by_the_nodes_that_are_there(memory: MemoryBackend) -> None:
    """A change to one that is interrupted: all three are needed until it is done."""
    three, one = (parse(f"{FEW}mysql: {{count: {count}}}\n") for count in (3, 1))
    up(three, memory, Silent())
    existing = memory.observe()
    assert scaling.note(plan(one, "debian"), one, existing, {}, done=False)["kept-mysql"] == "3 replication"
    assert scaling.note(plan(one, "debian"), one, existing, {}, done=True)["kept-mysql"] == "1 replication"


def test_new_mysql_nodes_are_waited_for_by_nobody_beside_a_node_that_is_not_ready() -> None:
    class Both(Joining):
        def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
            done = super().run(node, argv, seconds=seconds)
            waits = argv[0].rpartition("/")[2] in ("ready", "await")
            return replace(done, rc=1) if waits and node == "web1" and "put web1" not in self.done else done

    backend = Both("golden")
    backend.done.append("put web1")
    up(parse(f"{FEW}mysql: {{count: 1}}\n"), backend, Silent())
    backend.done.clear()
    up(parse(f"{FEW}mysql: {{count: 3}}\n"), backend, Silent(), seconds=1)
    assert all(node.ready for node in status(backend).nodes)


class NeedsAnAccount(MemoryBackend):
    """A backup node that becomes ready once the database has its account."""

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        if node == "backup1" and argv[0].endswith(("await", "ready")) and "run mysql1 reload" not in self.done:
            return Result(node, tuple(argv), 1, "backup: access denied", "")
        return super().run(node, argv, seconds=seconds)


@pytest.mark.parametrize("changed", ["", "web: {count: 2}\n"])
def test_a_role_that_is_added_is_not_awaited_before_the_others_know_of_it(changed: str) -> None:
    text = "name: golden\nmysql: {count: 1}\n"
    backend = NeedsAnAccount("golden")
    up(parse(text + "web: {count: 1}\n"), backend, Silent())
    up(parse(f"{text}backup: {{every: 1h}}\n{changed or 'web: {count: 1}'}"), backend, Silent())
    started, told = backend.done.index("start backup1"), backend.done.index("run mysql1 reload")
    assert started < told < len(backend.done) - 1 - backend.done[::-1].index("run backup1 await")


class EndsAtOnce(MemoryBackend):
    """Its web nodes end as soon as they are started, as a program does that has a mistake."""

    def start(self, node: str) -> None:
        super().start(node)
        if node.startswith("web"):
            self.kill(node)


def test_a_node_whose_first_process_ends_is_named_so_with_its_last_lines() -> None:
    with pytest.raises(NotReady, match=r"web1 is not ready after .*: its first process has ended") as late:
        up(parse("name: golden\nweb: {count: 1}\n"), EndsAtOnce("golden"), Silent())
    assert "| kill web1" in str(late.value)
