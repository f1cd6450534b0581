"""Memory and disk are asked for before anything is made: what is wanted by role, what is there by the engine."""

from __future__ import annotations

import os
import platform
import socket
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.backends.base import Capabilities, Existing, Lack, Room
from lab.backends.memory import MemoryBackend
from lab.backends.xen import host
from lab.engine import room
from lab.errors import HostError
from lab.lifecycle import doctor, sizes
from lab.lifecycle.up import up
from lab.plan import plan
from lab.progress import Silent
from lab.recipes import manifest, recipe, roles
from lab.topology import parse
from tests.unit.conftest import WHOLE

if TYPE_CHECKING:
    from pathlib import Path

    import docker

    from lab.plan import Plan
    from lab.topology import Cluster

FEATURES = frozenset({"fuse"})
LEAST = {node.role: node for node in plan(parse(f"{WHOLE}shell: {{}}\n"), "debian").nodes}
BUILT = frozenset(recipe(role, "debian").tag for role in ["base", *roles()])


class Heard(Silent):
    """A report that remembers its lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture
def whole() -> Cluster:
    """A topology with all roles but the shell."""
    return parse(WHOLE)


@pytest.fixture
def made(whole: Cluster) -> Plan:
    """Its plan."""
    return plan(whole, "debian")


def _memory(free: int, most: int | None = None) -> Room:
    return Room("memory", "here", free, free if most is None else most)


def _disk(free: int, images: frozenset[str] | None = frozenset()) -> Room:
    return Room("disk", "/images", free, free, images=images)


def _size(made: Plan, wanted: Room, existing: Existing | None = None) -> sizes.Size:
    return sizes.sizes(made, existing or Existing(), [wanted])[0]


@pytest.mark.parametrize("role", roles())
def test_every_role_says_what_it_takes(role: str) -> None:
    """What it takes at rest is below what it may take, and no image is free."""
    own = manifest(role).own.takes
    assert own, "measure it: docs/decisions/048-sizes.md"
    assert 0 < own.memory <= LEAST[role].limits.memory / 2
    assert own.image > 0


def test_memory_is_by_role_and_number(made: Plan) -> None:
    more = plan(parse(WHOLE.replace("web: {count: 3}", "web: {count: 9}")), "debian")
    one = manifest("web").takes.memory
    assert _size(more, _memory(0)).needed - _size(made, _memory(0)).needed == 6 * one


def test_disk_is_for_what_is_missing(made: Plan) -> None:
    every = _size(made, _disk(0))
    assert every.images == sum(manifest(role).takes.image for role in ["base", *made.images])
    assert _size(made, _disk(0, BUILT)).images == 0
    without = BUILT - {recipe("web", "debian").tag}
    assert _size(made, _disk(0, without)).images == manifest("web").takes.image
    assert _size(made, _disk(0, BUILT)).nodes == every.nodes > 3 * manifest("mysql").takes.disk
    assert _size(made, _disk(0, None)).images == 0, "no images lie there"


def test_what_exists_takes_no_more(full: Cluster, memory: MemoryBackend) -> None:
    made = up(full, memory, Silent()).plan
    assert _size(made, _memory(0), memory.observe()).needed == 0
    memory.kill("web1")
    assert _size(made, _memory(0), memory.observe()).needed == manifest("web").takes.memory
    assert _size(made, _disk(0, BUILT), memory.observe()).needed == 0
    assert _size(made, _disk(0, BUILT), Existing(data=True)).needed == 0, "its volumes are there"


@pytest.mark.parametrize("lacking", ["memory", "disk"])
def test_what_can_not_fit_is_refused_before_anything_is_made(full: Cluster, lacking: str) -> None:
    rooms = {"memory": _memory(10_000), "disk": _disk(10_000)}
    rooms[lacking] = replace(rooms[lacking], free=99, most=99)
    engine = MemoryBackend("golden", Capabilities("small", FEATURES, rooms=tuple(rooms.values())))
    with pytest.raises(HostError, match=f"does not fit: {lacking}: .* wanted for .*, 99 MiB free") as caught:
        up(full, engine, Silent())
    assert caught.value.exit_code == 2
    assert caught.value.where == f"{lacking} of {rooms[lacking].where}"
    assert "--file" in caught.value.next_step
    assert not engine.built
    assert not engine.done


def test_what_may_not_fit_is_one_line(full: Cluster) -> None:
    """Memory that others have now; disk that is enough for images, and not for what is there while they are built."""
    made = plan(full, "debian")
    images, wanted = _size(made, _disk(0)).images, _size(made, _disk(0)).needed
    rooms = (_memory(100, 10_000), _disk(wanted + images // 10))
    heard = Heard()
    up(full, MemoryBackend("golden", Capabilities("tight", FEATURES, rooms=rooms)), heard)
    warned = [line for line in heard.lines if "may not be enough" in line]
    assert [line.partition(" may")[0] for line in warned] == ["WARNING: memory of here", "WARNING: disk of /images"]
    assert not any("\n" in line for line in warned)
    enough = (_memory(10_000), _disk(10_000))
    heard.lines.clear()
    up(full, MemoryBackend("golden", Capabilities("roomy", FEATURES, rooms=enough)), heard)
    assert not [line for line in heard.lines if "may not be enough" in line]


def test_the_doctor_asks_the_same(whole: Cluster) -> None:
    rooms = (_memory(100, 10_000), _disk(99), replace(_disk(0), free=None, most=None), _disk(99_999))
    engine = MemoryBackend("golden", Capabilities("small", FEATURES, rooms=rooms))
    tight, small, unknown, good = doctor.topology(whole, engine)
    assert (tight.good, tight.vital) == (False, False)
    assert (small.good, small.vital) == (False, True)
    assert (unknown.good, good.good) == (True, True)
    assert "not known how much is free" in unknown.detail
    assert "GiB wanted for 9 images (" in small.detail


def test_the_doctor_says_what_up_chooses_and_refuses_what_up_refuses(whole: Cluster) -> None:
    rooms = (_memory(100, 10_000), _disk(99_999))
    *taken, chosen = doctor.topology(whole, MemoryBackend("golden", Capabilities("roomy", FEATURES, rooms=rooms)))
    assert len(taken) == 2
    assert "family: debian (no registry provided CentOS's base image" in chosen.detail
    assert "images: 9 to build, usually" in chosen.detail
    assert "may not be enough" not in chosen.detail, "that is a finding of its own"
    no_bricks = Capabilities("rootless", FEATURES, lacks={Lack.BRICKS: "no trusted.*"})
    refused = doctor.topology(parse("storage: {count: 3}\nweb:"), MemoryBackend("golden", no_bricks))[-1]
    assert (refused.good, refused.vital) == (False, True)
    assert "does not support the role 'storage'" in refused.detail
    taken_port = parse("web:\nhttp-lb:\nports: {site: 9999}")
    few = Capabilities("x", FEATURES, rooms=rooms)
    *shown, refused = doctor.topology(taken_port, MemoryBackend("golden", few))
    assert len(shown) == 2, "what it takes is said all the same"
    assert "port 9999" in refused.detail
    assert "(ports.site)" in refused.detail


def test_where_no_layer_is_shared_images_are_copied_for_nodes_too(made: Plan) -> None:
    shared = _size(made, _disk(0))
    copied = _size(made, replace(_disk(0), copies=5))
    assert copied.images == 5 * shared.images
    images = sum(manifest("base").takes.image + manifest(node.role).takes.image for node in made.nodes)
    assert copied.nodes == shared.nodes + images
    assert _size(made, replace(_disk(0, BUILT), copies=5)).needed == copied.nodes
    kept = _size(made, replace(_disk(0, BUILT), copies=5), Existing(data=True))
    assert kept.nodes == images, "volumes that are there save no copy of an image"
    for_images = _size(made, replace(_disk(0), node=0, copies=5))
    assert for_images.nodes == 0, "no node runs where images are only built"


def test_the_time_that_images_take_is_told_only_where_some_are_missing(made: Plan) -> None:
    assert sizes.build_estimate([_size(made, _memory(0)), _size(made, _disk(0))]).startswith("images: 9 to build")
    assert sizes.build_estimate([_size(made, _disk(0, BUILT))]) == ""
    one = BUILT - {recipe("web", "debian").tag}
    assert "images: 1 to build, usually 0.5 min" in sizes.build_estimate([_size(made, _disk(0, one))])


def test_domains_take_what_they_are_given(made: Plan) -> None:
    facts = host.Facts("4.17", 2, 1000, 1000, keeps_consoles=True, routes=())
    rooms = host.rooms(cast("Any", SimpleNamespace(link=SimpleNamespace(where="dom0"))), facts, 256)
    memory, disk = sizes.sizes(made, Existing(), rooms)
    assert memory.needed == len(made.nodes) * (256 + host.DOMAIN_OVERHEAD)
    assert disk.needed == len(made.nodes) * host.DOMAIN_DISK
    with pytest.raises(HostError, match="1000 MiB free"):
        sizes.admit([memory])


class Engine:
    """What an engine tells of itself."""

    def __init__(self, **info: Any) -> None:
        self.told = {"Name": platform.node(), "KernelVersion": platform.release(), "MemTotal": 8 << 30, **info}

    def info(self) -> dict[str, Any]:
        return self.told

    def images(self, **_: Any) -> list[dict[str, Any]]:
        return [{"RepoTags": ["www-cluster-lab/web:debian-1"]}, {"RepoTags": None}]

    def rooms(self) -> tuple[Room, ...]:
        return room.rooms(cast("docker.APIClient", self), self.told)


def test_the_disk_is_the_one_where_the_engine_keeps_its_images(tmp_path: Path) -> None:
    memory, disk = Engine(DockerRootDir=str(tmp_path)).rooms()
    found = os.statvfs(tmp_path)
    assert disk.where == str(tmp_path)
    assert disk.free == pytest.approx(found.f_bavail * found.f_frsize >> 20, abs=64)
    assert set(disk.images or ()) == {"www-cluster-lab/web:debian-1"}
    assert memory.where == "this machine"
    assert memory.most
    assert memory.most >= 8 << 10


@pytest.mark.parametrize("elsewhere", [{"Name": "docker-desktop"}, {"KernelVersion": "6.10.14-linuxkit"}])
def test_another_machines_disk_is_not_asked(tmp_path: Path, elsewhere: dict[str, str]) -> None:
    memory, disk = Engine(DockerRootDir=str(tmp_path), **elsewhere).rooms()
    assert disk.free is None
    assert memory.free == memory.most == 8 << 10
    assert socket.gethostname() not in (memory.where if "Name" in elsewhere else "")


def test_a_folder_that_may_not_be_looked_into_is_not_known(tmp_path: Path) -> None:
    assert Engine(DockerRootDir=str(tmp_path / "gone")).rooms()[1].free is None


def test_images_that_containerd_keeps_are_on_its_disk(tmp_path: Path) -> None:
    kept = [["driver-type", "io.containerd.snapshotter.v1"]]
    _, nodes, images = Engine(DockerRootDir=str(tmp_path), DriverStatus=kept).rooms()
    assert (nodes.where, nodes.images) == (str(tmp_path), None)
    assert (images.where, images.node) == (room.CONTAINERD, 0)
    own = {"Address": "/var/run/docker/containerd/containerd.sock"}
    _, _, images = Engine(DockerRootDir=str(tmp_path), DriverStatus=kept, Containerd=own).rooms()
    assert images.where == f"{tmp_path}/containerd/daemon"
