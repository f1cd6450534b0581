"""Nodes that are by hand: created without their configuration, not awaited, and left alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lab.backends.base import State
from lab.backends.memory import MemoryBackend
from lab.errors import NotReady, SpecError
from lab.lifecycle import hand
from lab.lifecycle.prepare import prepare
from lab.lifecycle.reconcile import Kind
from lab.lifecycle.status import status
from lab.lifecycle.up import up
from lab.plan import MANIFEST
from lab.progress import Silent
from lab.topology import Cluster, parse
from tests.unit.backends import Heard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Result

TEXT = "name: golden\nnetwork: 10.90.0.0/24\nweb: {count: 2}\nhttp-lb: {count: 1}\n"
BY_HAND = f"{TEXT}by-hand: [http-lb1]\n"
FILE = "/etc/lab/haproxy.cfg"


class Unready(MemoryBackend):
    """A cluster whose by-hand node is never ready, and whose supervisor may not run."""

    boots = True

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        self.answers = {}
        if node == "http-lb1":
            self.answers = {"await": (1, "HAProxy does not answer"), "ready": (1, "HAProxy does not answer")}
            self.answers |= {} if self.boots else {"test": (1, "")}
        return super().run(node, argv, seconds=seconds)


def _cluster(text: str = BY_HAND) -> Cluster:
    return parse(text)


def test_up_does_not_wait_for_a_node_by_hand_and_says_so() -> None:
    backend, heard = Unready("golden"), Heard()
    prepared = up(_cluster(), backend, heard)
    assert any("by hand, not configured and not awaited: http-lb1" in line for line in heard.lines)
    assert FILE not in backend.files["http-lb1"]
    assert "/etc/lab/users.cfg" in backend.files["http-lb1"]
    assert b"startretries = 3\n" in backend.files["http-lb1"]["/etc/lab/services.conf"]
    assert [file.path for file in prepared.plan.node("http-lb1").withheld] == [FILE]
    with pytest.raises(NotReady):
        up(_cluster(TEXT), Unready("golden"), Silent(), seconds=1)


def test_status_shows_it_and_is_ready_without_it() -> None:
    backend = Unready("golden")
    up(_cluster(), backend, Silent())
    found = status(backend)
    assert found.ready
    (node,) = [node for node in found.nodes if node.by_hand]
    assert (node.name, node.ready, node.reason) == ("http-lb1", False, "HAProxy does not answer")


def test_what_was_written_by_hand_stays() -> None:
    backend = MemoryBackend("golden")
    up(_cluster(), backend, Silent())
    backend.put("http-lb1", {FILE: (b"mine", 0o644)})
    changed = _cluster(BY_HAND.replace("count: 2", "count: 3"))
    kinds = {action.node: action.kind for action in prepare(changed, backend, Silent()).changes}
    assert kinds.pop("web3") is Kind.CREATE
    assert "http-lb1" not in kinds
    backend.forget("http-lb1")  # as after another version of its image
    backend.stop("http-lb1")
    up(changed, backend, Silent())
    assert backend.files["http-lb1"][FILE] == b"mine"
    found = backend.observe().node("http-lb1")
    assert found
    assert found.state is State.RUNNING


def test_a_node_that_is_no_longer_by_hand_is_created_again() -> None:
    backend = MemoryBackend("golden")
    up(_cluster(), backend, Silent())
    prepared = up(_cluster(TEXT), backend, Silent())
    assert [(action.node, action.kind) for action in prepared.changes] == [("http-lb1", Kind.RECREATE)]
    assert "by_hand" in prepared.changes[0].why
    assert FILE in backend.files["http-lb1"]


def test_one_that_does_not_boot_is_said_with_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand, "BOOT_SECONDS", 0.2)
    backend, heard = Unready("golden"), Heard()
    backend.boots = False
    up(_cluster(), backend, heard)
    said = next(line for line in heard.lines if "does not boot" in line)
    assert "| start http-lb1" in said
    assert "'lab down', then 'lab up' creates the nodes again" in said, "no lesson made this cluster"


def test_only_some_files_may_be_by_hand() -> None:
    backend = MemoryBackend("golden")
    up(_cluster(f"{TEXT}by-hand: {{web1: [/etc/lab/httpd.conf]}}\n"), backend, Silent())
    assert "/etc/lab/php-fpm.conf" in backend.files["web1"]
    assert "/etc/lab/httpd.conf" not in backend.files["web1"]
    assert MANIFEST in backend.files["web1"]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("[web9]", "'by-hand' names 'web9', which the topology has not"),
        ("[client]", "client can't be by hand"),
        ("7", "by-hand"),
    ],
)
def test_a_node_that_cannot_be_by_hand_is_refused(said: str, named: str) -> None:
    with pytest.raises(SpecError, match=named):
        _cluster(f"{TEXT}by-hand: {said}\n")


def test_a_file_that_is_not_rendered_is_refused() -> None:
    with pytest.raises(SpecError, match=r"web1 has no file /etc/lab/httpd.con; did you mean"):
        up(_cluster(f"{TEXT}by-hand: {{web1: [/etc/lab/httpd.con]}}\n"), MemoryBackend("golden"), Silent())


class Stopping(MemoryBackend):
    """A stop that an interrupted command began goes on: nodes end once they are asked whether they do."""

    ending: tuple[str, ...] = ()

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        result = super().run(node, argv, seconds=seconds)
        if node not in self.ending or argv[0] != "test":
            return result
        self.ending = tuple(name for name in self.ending if name != node)
        self.stop(node)
        return replace(result, rc=1)


@pytest.mark.parametrize(("text", "wait"), [(BY_HAND, True), (TEXT, False)], ids=["by hand", "no wait"])
def test_a_node_that_is_not_awaited_and_is_being_stopped_is_started(text: str, *, wait: bool) -> None:
    backend = Stopping("golden")
    up(parse(text), backend, Silent())
    backend.ending = ("http-lb1",)
    up(parse(text), backend, Silent(), wait=wait)
    node = backend.observe().node("http-lb1")
    assert node
    assert (node.state, backend.done.count("stop http-lb1")) == (State.RUNNING, 1)
