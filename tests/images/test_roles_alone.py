"""Every role starts alone, is as small as promised, logs by service, stops cleanly, and starts again after a kill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.evidence import until
from lab.recipes import manifest, roles
from tests.images.single_role import SingleRole

if TYPE_CHECKING:
    from lab.recipes import Family

MEGABYTES = {"storage": 550, "mysql": 850, "backup": 850, "client": 450, "web": 450}
USUALLY = 350
START_SECONDS = 30
BOOTS, GO_ON = "the boot is under way", "/run/go-on"
# A balancer alone has nothing to lead to: it runs, and says itself that its pool is empty.
ALONE_SAYS = {
    "web": "the volume www",
    "client": "",
    "http-lb": "no server in the pool",
    "tcp-lb": "no server in the pool",
    "storage": "waiting for storage2, storage3",
    "mysql": "1 of 3 nodes are there",
    "shell": "the volume home",
    "mail": "no server in the pool",
    "backup": "the volume",
}


def test_the_role_starts_alone(alone: SingleRole) -> None:
    said = ALONE_SAYS[alone.role]
    until(
        f"{alone.role} to be what it can be alone",
        START_SECONDS,
        lambda: alone.run("/usr/lib/lab/ready"),
        lambda answer: answer[0] == 0 if not said else said in answer[1],
    )


def _killed(role: str) -> object:
    """A role as a parameter. But for keepalived, what starts after a kill is tried with all nodes of a cluster."""
    reason = "five seconds each: at every change all nodes of a cluster are killed and start again (test_scaling.py)"
    return pytest.param(role, marks=[] if role == "tcp-lb" else pytest.mark.nightly(reason))


@pytest.mark.parametrize("alone", [_killed(role) for role in roles()], indirect=True, scope="session")
def test_a_killed_role_starts_again(alone: SingleRole) -> None:
    """With /run as it was, keepalived would find its own old pid file and refuse."""
    until("the services to run", START_SECONDS, lambda: _running(alone))
    wrapped = alone.container.get_wrapped_container()
    wrapped.kill(signal="SIGKILL")
    wrapped.wait(timeout=30)
    wrapped.start()
    until("the services to run again", START_SECONDS, lambda: _running(alone))


def _running(alone: SingleRole) -> bool:
    """Whether every service runs; one question for all, each is a process of Python's in the node."""
    lines = alone.run("supervisorctl -c /etc/lab/supervisord.conf status")[1].splitlines()
    states = {line.split()[0]: line.split()[1] for line in lines if len(line.split()) > 1}
    return all(states.get(name) == "RUNNING" for name in manifest(alone.role).services)


def test_the_role_stops_cleanly(alone: SingleRole) -> None:
    until("the services to run", START_SECONDS, lambda: _running(alone))
    wrapped = alone.container.get_wrapped_container()
    wrapped.kill(signal="SIGTERM")
    assert wrapped.wait(timeout=30)["StatusCode"] == 0
    said = alone.logs()
    for service in manifest(alone.role).services:
        assert "supervisor | " in said
        assert f"stopped: {service} " in said
    assert "SIGKILL" not in said, said
    assert all(" | " in line for line in said.splitlines()), "every line is behind its service's name"
    wrapped.start()


def test_a_stop_during_the_boot_ends_the_node(table: Family) -> None:
    """PID 1 gets no signal that it does not handle: the stop was lost, and the node ran on."""
    node = SingleRole("client", table.family)
    hook = f"#!/bin/sh\necho {BOOTS} > /proc/1/fd/1\nuntil [ -e {GO_ON} ]; do sleep 0.1; done\n"
    node.container.with_copy_into_container(hook.encode(), "/usr/lib/lab/boot.d/zz-slow", 0o755)
    with node:
        until("the boot to be under way", START_SECONDS, node.logs, lambda said: BOOTS in said)
        wrapped = node.container.get_wrapped_container()
        wrapped.kill(signal="SIGTERM")
        node.run(f"touch {GO_ON}")  # what a shell waits for ends before it obeys
        assert wrapped.wait(timeout=START_SECONDS)["StatusCode"] == 143
        assert "supervisor" not in node.logs()


@pytest.mark.parametrize("role", roles())
def test_the_image_is_small(role: str, table: Family) -> None:
    alone = SingleRole(role, table.family)
    size = alone.container.get_docker_client().client.images.get(alone.node.image).attrs["Size"]
    if table.family == "debian":
        assert size < MEGABYTES.get(role, USUALLY) * 1_000_000, f"{size / 1e6:.0f} MB"


def test_pid_1_reaps_and_services_are_not_its_children_twice(table: Family) -> None:
    with SingleRole("web", table.family) as node:
        until("the services to run", START_SECONDS, lambda: _running(node))
        node.run("for i in 1 2 3 4 5; do (sleep 0.1 &) ; done")
        until("no zombie", 10, lambda: node.run("ps -eo stat= | grep -c ^Z")[1].strip() == "0")
        assert node.run("cat /proc/1/comm")[1].strip() == "dumb-init"
