"""Nodes that are missing or not ready: in the status, and in the order of changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import Result
from lab.backends.memory import MemoryBackend
from lab.errors import NotReady
from lab.lifecycle import resolve
from lab.lifecycle.down import down
from lab.lifecycle.expected import expected
from lab.lifecycle.status import status
from lab.lifecycle.up import up
from lab.progress import Silent
from lab.topology import Cluster, parse
from tests.unit.conftest import FEW, FULL

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_status_says_who_is_not_ready_and_why(full: Cluster, memory: MemoryBackend) -> None:
    assert status(memory).ready is False
    up(full, memory, Silent())
    memory.answers["ready"] = (1, "php-fpm: gone")
    memory.kill("web2")
    found = {node.name: node for node in status(memory).nodes}
    assert found["web2"].reason == "is stopped"
    assert found["web1"].reason == "php-fpm: gone"
    assert not status(memory).ready


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
    started, reloaded = backend.done.index("start backup1"), backend.done.index("run mysql1 reload")
    assert started < reloaded < len(backend.done) - 1 - backend.done[::-1].index("run backup1 await")


class AsksForTheSite(MemoryBackend):
    """A client that finds the site on the VIP once the TCP balancer leads to the HTTP balancers."""

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        if node == "client" and "check.d" in argv and "run tcp-lb1 reload" not in self.done:
            return Result(node, tuple(argv), 1, "https://10.90.0.100/health: no answer", "")
        return super().run(node, argv, seconds=seconds)


def test_the_client_of_a_site_that_is_added_is_not_awaited_before_the_balancers_know_of_it() -> None:
    text = "name: golden\nmysql: {count: 1}\ntcp-lb: {count: 1}\n"
    backend = AsksForTheSite("golden")
    backend.done.append("run tcp-lb1 reload")
    up(parse(text), backend, Silent())
    backend.done.clear()
    up(parse(f"{text}http-lb: {{count: 1}}\nweb: {{count: 1}}\n"), backend, Silent(), seconds=1)
    last = len(backend.done) - 1 - backend.done[::-1].index("run client await")
    assert backend.done.index("run tcp-lb1 reload") < last


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
