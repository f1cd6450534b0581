"""What is different on other engines, from what they told of themselves (Docker 20.10 and Podman 4.3 on Debian 12)."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
import yaml
from docker.errors import APIError

from lab import engine
from lab.backends.base import Capabilities, Existing, Lack, Observed, State
from lab.backends.docker import container, labels
from lab.backends.docker.backend import DockerBackend
from lab.engine import nature
from lab.errors import BackendError, HostError
from lab.export import compose
from lab.faults import Pause
from lab.host.kernel import known
from lab.lifecycle import doctor, resolve
from lab.lifecycle.up import up
from lab.plan import plan
from lab.progress import Silent
from lab.topology import parse
from tests.unit.backends import Created
from tests.unit.conftest import FULL, WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.memory import MemoryBackend
    from lab.plan import Plan

LIMITED = {"MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True, "CgroupVersion": "1", "Driver": "overlay2"}
UNLIMITED = dict.fromkeys(nature.LIMITS, False)
ROOT = {**LIMITED, "CgroupDriver": "cgroupfs", "SecurityOptions": ["name=seccomp,profile=default"], "Warnings": None}
PROFILED = {**ROOT, "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default"]}
REMAPPED = {**ROOT, "SecurityOptions": ["name=apparmor", "name=seccomp,profile=default", "name=userns"]}
ROOTLESS_DOCKER = {**ROOT, **UNLIMITED, "CgroupDriver": "none", "SecurityOptions": ["name=seccomp", "name=rootless"]}
ROOTLESS_PODMAN = {**ROOT, "Rootless": True, "Driver": "vfs"}
EVERYTHING = frozenset(known())


@pytest.mark.parametrize(
    ("info", "lacking"),
    [
        (ROOT, {Lack.PROFILES, Lack.USER_NUMBERS}),
        ({**ROOT, "Rootless": False, "Driver": "overlay"}, {Lack.PROFILES, Lack.USER_NUMBERS}),
        (PROFILED, {Lack.USER_NUMBERS}),
        ({**ROOT, "SecurityOptions": ["name=selinux"]}, {Lack.USER_NUMBERS}),
        (REMAPPED, {Lack.BRICKS}),
        (ROOTLESS_DOCKER, {Lack.BRICKS, Lack.LIMITS, Lack.PAUSE, Lack.PROFILES}),
        (ROOTLESS_PODMAN, {Lack.BRICKS, Lack.LIMITS, Lack.PAUSE, Lack.LAYERS, Lack.PROFILES}),
        ({**ROOTLESS_DOCKER, **LIMITED, "CgroupDriver": "systemd", "CgroupVersion": "2"}, {Lack.BRICKS, Lack.PROFILES}),
        ({**PROFILED, "CpuCfsQuota": False}, {Lack.LIMITS, Lack.USER_NUMBERS}),
    ],
)
def test_what_an_engine_lacks_is_known_from_what_it_tells(info: dict[str, Any], lacking: set[Lack]) -> None:
    found = nature.lacks(info)
    assert set(found) == lacking
    assert all(found.values()), "each with its reason"


def test_only_the_limit_that_is_missing_is_named() -> None:
    assert nature.lacks({**ROOT, "CpuCfsQuota": False})[Lack.LIMITS].endswith("does not limit processors")


def test_every_lack_is_a_finding_with_the_way_round() -> None:
    told = doctor.engine(Capabilities("x", EVERYTHING, lacks=dict.fromkeys(Lack, "because")))
    found = {finding.subject: finding for finding in told}
    for lack in Lack:
        assert not found[lack].good
        assert not found[lack].vital
        assert found[lack].way_round


@pytest.mark.parametrize("info", [ROOTLESS_DOCKER, ROOTLESS_PODMAN, REMAPPED], ids=["docker", "podman", "userns"])
def test_bricks_are_refused_where_they_can_not_be_and_nothing_else(info: dict[str, Any]) -> None:
    rootless = Capabilities("Docker", EVERYTHING, lacks=nature.lacks(info))
    with pytest.raises(HostError, match=r"does not support the role 'storage': .*trusted") as caught:
        resolve.admit(plan(parse(WHOLE), "debian"), rootless)
    assert (caught.value.where, caught.value.exit_code) == ("storage", 2)
    resolve.admit(plan(parse(FULL), "debian"), rootless)
    resolve.admit(plan(parse(WHOLE), "debian"), Capabilities("Docker", EVERYTHING))


def test_nodes_that_mount_are_without_apparmor_and_no_others() -> None:
    """Docker's profile denies what they are for. An engine without AppArmor takes the option, and ignores it."""
    made = plan(parse(WHOLE), "debian")
    services = yaml.safe_load(compose.document(made))["services"]
    mounting = {node.name for node in made.nodes if "SYS_ADMIN" in node.capabilities}
    assert {name.rstrip("0123456789") for name in mounting} == {"web", "storage", "mail", "backup"}
    for node in made.nodes:
        created = Created()
        container.create(created, made, node, "net")  # type: ignore[arg-type]
        options = ["no-new-privileges", *(["apparmor=unconfined"] if node.name in mounting else [])]
        assert created.host["security_opt"] == services[node.name]["security_opt"] == options


def test_a_pause_needs_control_groups() -> None:
    assert "control groups" in Pause(("web1",)).needs(Capabilities("x", lacks=nature.lacks(ROOTLESS_PODMAN)))
    assert Pause(("web1",)).needs(Capabilities("x")) == ""


def test_the_kernel_of_another_machine_is_not_judged_by_this_one() -> None:
    """A Docker Desktop has what this machine's /proc does not tell."""
    assert nature.is_here({"Name": platform.node(), "KernelVersion": platform.release()})
    assert not nature.is_here({"Name": "docker-desktop", "KernelVersion": platform.release()})
    subjects = [finding.subject for finding in doctor.engine(Capabilities("x", EVERYTHING, kernel_seen=False))]
    assert "kernel" in subjects
    assert not [subject for subject in subjects if subject.startswith("kernel:")]


@pytest.mark.parametrize("prefix", ["", "localhost/", "docker.io/"])
def test_podman_puts_a_registry_before_each_name(prefix: str) -> None:
    row = {"RepoTags": [f"{prefix}www-cluster-lab/web:debian", f"{prefix}other/web:debian"]}
    assert engine.own_names(row) == ["www-cluster-lab/web:debian"]


def test_the_engine_goes_by_its_own_name() -> None:
    assert nature.name({"Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}) == "Podman"
    assert nature.name({"Components": [{"Name": "Engine"}, {"Name": "containerd"}]}) == "Docker"
    assert nature.name({}) == "Docker"


@pytest.mark.parametrize(("joined", "detached"), [("0123", False), ("lab-golden", False), ("4567", True)])
def test_a_node_is_on_its_network_by_id_or_by_name(joined: str, *, detached: bool) -> None:
    made = plan(parse(FULL), "debian")
    row = {
        "Labels": labels.of(made, made.node("web1")),
        "State": "running",
        "NetworkSettings": {"Networks": {"lab-golden": {"NetworkID": joined}}},
    }
    assert labels.observed(row, {"0123", "lab-golden"}).detached is detached


class Listing:
    """An engine that lists the nodes of plans."""

    api_version, base_url = "1.41", "http+docker://localhost"

    def __init__(self, *made: Plan) -> None:
        self.rows = [
            {"Labels": labels.of(one, node), "State": "running", "NetworkSettings": {"Networks": {}}}
            for one in made
            for node in one.nodes
        ]

    def containers(self, **_: object) -> list[dict[str, Any]]:
        return self.rows


def test_a_list_of_clusters_says_nothing_of_volumes(memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """None were asked for: an empty set would be a cluster that has none."""
    both = [plan(parse(WHOLE.replace("golden", name)), "debian") for name in ("golden", "other")]
    monkeypatch.setattr(engine, "connect", lambda *_: Listing(*both))
    several = DockerBackend("golden").clusters()
    assert {name: one.volumes for name, one in several.items()} == {"golden": None, "other": None}
    assert [len(one.nodes) for one in several.values()] == [len(one.nodes) for one in both]
    up(parse(f"{FULL}mysql: {{count: 1}}\n"), memory, Silent())
    assert memory.observe().volumes
    assert {name: one.volumes for name, one in memory.clusters().items()} == {"golden": None}


class Refusing:
    """An engine that refuses whatever it is asked."""

    api_version, base_url = "1.41", "http+docker://localhost"

    def __getattr__(self, _: str) -> Callable[..., NoReturn]:
        def refuse(*_: object, **__: object) -> NoReturn:
            raise APIError("500 Server Error", explanation="open /overlay2: permission denied")

        return refuse


ASKED: dict[str, Callable[[DockerBackend], object]] = {
    "capabilities": DockerBackend.capabilities,
    "observe": DockerBackend.observe,
    "notes": DockerBackend.notes,
    "has_base_image": lambda backend: backend.has_base_image("debian", 1),
    "note": lambda backend: backend.note("key", "text"),
    "clear": lambda backend: backend.clear(volumes=True),
    "start": lambda backend: backend.start("web1"),
    "stop": lambda backend: backend.stop("web1"),
    "kill": lambda backend: backend.kill("web1"),
    "pause": lambda backend: backend.pause("web1"),
    "remove": lambda backend: backend.remove("web1"),
    "put": lambda backend: backend.put("web1", {}),
    "get": lambda backend: backend.get("web1", "/etc/hostname"),
    "run": lambda backend: backend.run("web1", ["true"]),
    "run_in_network": lambda backend: backend.run_in_network("web1", ["true"]),
    "logs": lambda backend: list(backend.logs("web1")),
    "follow": lambda backend: list(backend.logs("web1", follow=True)),
    "endpoint": lambda backend: backend.endpoint(80),
}


@pytest.mark.parametrize("what", ASKED)
def test_a_refusal_is_one_clear_error_whatever_was_asked(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "connect", lambda *_: Refusing())
    backend = DockerBackend("golden")
    if what == "endpoint":  # it looks for the node first
        client = Observed(plan(parse(FULL), "debian").node("client").fixed, State.RUNNING)
        monkeypatch.setattr(backend, "observe", lambda: Existing((client,)))
    with pytest.raises(BackendError, match="permission denied"):
        ASKED[what](backend)
