"""A copy that a person asks for: who can't be copied refuses, and the command waits for no copy that is not made."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.errors import BackendError
from lab.plan import plan
from lab.services import mysql
from lab.topology import parse
from lab_node.keeper import node as of_all
from lab_node.keeper import rules, wire
from tests.unit.mysql_replica import PlainNode

if TYPE_CHECKING:
    from pathlib import Path

    from lab.backends.memory import MemoryBackend


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainNode:
    return PlainNode(tmp_path, monkeypatch)


@pytest.mark.parametrize("role", rules.Role)
def test_only_a_node_that_may_lead_refuses(node: PlainNode, role: rules.Role) -> None:
    """Its request would be forgotten when it takes writes."""
    node.role = role
    leads = role in (rules.Role.PRIMARY, rules.Role.PROMOTING)
    node.server = cast("Any", SimpleNamespace(running=False))
    answer = node.reclone()
    assert (answer["done"], "the primary" in answer["because"]) == (not leads, leads)
    assert (node.wanted_copy == of_all.ASKED) is not leads


def test_a_node_whose_data_is_of_the_other_topology_refuses(node: PlainNode) -> None:
    """It does nothing before that is put back."""
    node.promise.made_by = "galera"
    answer = node.reclone()
    assert not answer["done"]
    assert "'topology: galera'" in answer["because"]
    assert node.wanted_copy == ""


def test_the_only_node_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = PlainNode(tmp_path, monkeypatch, {"mysql2": "10.90.0.52"})
    alone.role = rules.Role.DOWN
    assert alone.reclone() == {
        "done": False, "because": "there is no other node whose data could be copied", "copies": 0,
    }  # fmt: skip


def test_a_node_that_is_elected_meanwhile_is_not_waited_for(
    memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "request_copy", lambda *_: 0)
    states = iter([mysql.Member("mysql2", "replica"), mysql.Member("mysql2", mysql.PRIMARY)])
    monkeypatch.setattr(mysql, "_member", lambda *_: next(states))
    with pytest.raises(BackendError, match="mysql2 is not cloned: it was elected the primary"):
        mysql.reclone(memory, "mysql2")


@pytest.mark.parametrize(
    ("wanted", "fetching", "stays"), [("", False, False), ("", True, True), ("asked", False, True)]
)
def test_a_copy_whose_reason_is_gone_is_given_to_no_later_request(
    node: PlainNode, wanted: str, *, fetching: bool, stays: bool
) -> None:
    assert node.keeps_copy(wanted, fetching=fetching) is stays


@pytest.mark.parametrize(
    ("body", "text"), [(b'{"error": "busy"}\n', "busy"), (b"plain\n", "plain"), (b"[1]", "[1]"), (b"", "")]
)
def test_a_donor_that_refuses_is_quoted(body: bytes, text: str) -> None:
    assert wire.refusal(body) == text


@pytest.mark.parametrize("verb", ["pause", "stop"])
def test_a_node_that_does_not_run_is_to_be_started(memory: MemoryBackend, verb: str) -> None:
    planned = plan(parse("name: golden\nnetwork: 10.90.0.0/24\nmysql: {count: 3}\n"), "debian")
    for node in planned.nodes:
        memory.create(planned, node, {})
        memory.start(node.name)
    getattr(memory, verb)("mysql2")
    with pytest.raises(BackendError, match="mysql2 can't be asked: mysql2 is not running") as caught:
        mysql.request_copy(memory, "mysql2")
    assert caught.value.next_step.endswith("'lab start mysql2' starts or resumes it")
