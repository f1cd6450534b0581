"""What a node may take of its machine: from role.yaml and the topology to every engine and to `lab status`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lab.backends.docker import container, labels
from lab.cli import tables
from lab.errors import SpecError
from lab.export import compose
from lab.lifecycle.status import status
from lab.lifecycle.up import up
from lab.plan import plan
from lab.plan.model import Limits
from lab.progress import Silent
from lab.recipes import manifest, roles
from lab.topology import parse
from tests.unit.backends import Created
from tests.unit.conftest import FULL, WHOLE

if TYPE_CHECKING:
    from lab.backends.memory import MemoryBackend
    from lab.plan import Plan

EVERY_ROLE = f"{WHOLE}shell: {{}}\n"


@pytest.fixture
def made() -> Plan:
    """A plan with every role."""
    return plan(parse(EVERY_ROLE), "debian")


@pytest.mark.parametrize("role", roles())
def test_every_role_has_limits_that_leave_room_for_its_own_daemons(made: Plan, role: str) -> None:
    for node in made.role(role):
        assert node.limits.memory >= 128
        assert node.limits.processes >= 50 + 10 * len(manifest(role).services)
        assert 0 < node.limits.processors <= 4


def test_limits_grow_with_the_options_that_they_are_for() -> None:
    few, many = (
        plan(parse(EVERY_ROLE.replace("web: {count: 3}", f"web: {{count: 3, php-children: {n}}}")), "debian")
        for n in (4, 400)
    )
    assert many.node("web1").limits.memory > few.node("web1").limits.memory + 390 * 20
    assert many.node("web1").limits.processes >= few.node("web1").limits.processes + 380
    assert many.node("http-lb1").limits == few.node("http-lb1").limits


def test_a_topology_may_write_its_own() -> None:
    own = "web: {count: 3, memory: 300, processes: 99, processors: 0.5}"
    found = plan(parse(FULL.replace("web: {count: 3}", own)), "debian")
    assert found.node("web2").limits == Limits(300, 99, 0.5)
    assert found.node("http-lb1").limits != found.node("web2").limits


@pytest.mark.parametrize("wrong", ["memory: 8", "processes: 3", "processors: 0", "memory: plenty"])
def test_limits_under_which_nothing_runs_are_refused(wrong: str) -> None:
    with pytest.raises(SpecError, match=f"web.{wrong.partition(':')[0]}"):
        parse(FULL.replace("web: {count: 3}", f"web: {{count: 3, {wrong}}}"))


def test_docker_and_compose_are_asked_for_them(made: Plan) -> None:
    services = yaml.safe_load(compose.document(made))["services"]
    for node in made.nodes:
        engine = Created()
        container.create(engine, made, node, "net")  # type: ignore[arg-type]
        limits = node.limits
        assert engine.host["mem_limit"] == engine.host["memswap_limit"] == f"{limits.memory}m"
        assert engine.host["pids_limit"] == limits.processes
        assert engine.host["cpu_quota"] == limits.processors * engine.host["cpu_period"]
        service = services[node.name]
        assert (service["mem_limit"], service["pids_limit"], service["cpus"]) == (
            f"{limits.memory}m",
            limits.processes,
            limits.processors,
        )


def test_status_says_them_and_what_was_made_without(made: Plan, memory: MemoryBackend) -> None:
    up(parse(FULL), memory, Silent())
    said = {node["name"]: node["limits"] for node in status(memory).json()["nodes"]}
    wanted = made.node("web1").limits
    assert said["web1"] == {
        "memory": wanted.memory,
        "processes": wanted.processes,
        "processors": wanted.processors,
    }
    row: dict[str, Any] = {
        "Labels": labels.of(made, made.node("web1")),
        "State": "running",
        "NetworkSettings": {"Networks": {}},
    }
    assert labels.observed(row, ()).limits == wanted
    whole = {"memory", "processes", "processors"}
    assert labels.observed(row, (), unlimited=whole).limits is None, "a rootless engine with cgroups v1 applies none"
    partly = labels.observed(row, (), unlimited={"processors"}).limits
    assert partly == replace(wanted, processors=0)
    assert tables._limits(partly) == f"{wanted.memory} MiB, {wanted.processes} processes"  # noqa: SLF001
    row["Labels"][labels.FIXED] = row["Labels"][labels.FIXED].replace('"limits"', '"none"')
    assert labels.observed(row, ()).limits is None
