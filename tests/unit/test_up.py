"""`lab up` on an engine of plain values: what is created, changed and left, and in which order."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import State
from lab.backends.memory import MemoryBackend
from lab.errors import BackendError, NotReady
from lab.lifecycle.prepare import prepare
from lab.lifecycle.reconcile import Kind
from lab.lifecycle.up import up
from lab.plan import MANIFEST, plan
from lab.progress import Silent
from lab.recipes import recipe
from lab.topology import Cluster, parse
from tests.unit.backends import Stepped
from tests.unit.conftest import FULL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.backends.base import Result


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


def test_a_paused_node_is_resumed_and_then_reloads(full: Cluster, memory: MemoryBackend) -> None:
    """In its turn: it serves again, and its daemons read no file by themselves."""
    up(full, memory, Silent())
    memory.pause("http-lb1")
    sticky = parse(FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}"))
    first, _ = prepare(sticky, memory, Silent()).changes
    assert (first.kind, first.why) == (Kind.UPDATE, "is paused, changed: /etc/lab/haproxy.cfg")
    memory.done.clear()
    up(sticky, memory, Silent())
    steps = ["start http-lb1", "put http-lb1", "run http-lb1 reload", "run http-lb2 reload"]
    assert sorted(steps, key=memory.done.index) == steps
    assert "run tcp-lb1 await" in memory.done[memory.done.index(steps[2]) : memory.done.index(steps[3])]
    assert _kinds(sticky, memory) == {}


def test_a_stopped_node_loses_the_files_that_it_has_no_more(full: Cluster, memory: MemoryBackend) -> None:
    """As those of an earlier version; only a running node deletes files."""
    up(full, memory, Silent())
    manifest = json.loads(memory.files["web1"][MANIFEST]) | {"/etc/lab/former": "0"}
    memory.put("web1", {MANIFEST: (json.dumps(manifest).encode(), 0o600)})
    memory.kill("web1")
    memory.done.clear()
    up(full, memory, Silent())
    assert memory.done.index("start web1") < memory.done.index("run web1 rm")
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


def test_a_node_whose_change_was_interrupted_is_changed_first(full: Cluster, memory: MemoryBackend) -> None:
    """What it reloads still, of the change that was ended, may make it wait for its own next change."""
    up(full, memory, Silent())
    memory.put("http-lb2", {MANIFEST: (b'{"/etc/lab/haproxy.cfg": ""}', 0o600)})
    memory.done.clear()
    up(parse(FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}")), memory, Silent())
    first, then = (memory.done.index(f"run http-lb{number} reload") for number in (2, 1))
    assert first < then
    assert all("await" not in what for what in memory.done[:first]), "it waits for no other node"


class Leading(MemoryBackend):
    """http-lb2 serves until another node was changed, and again after its own change."""

    out = False

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        result = super().run(node, argv, seconds=seconds)
        asked = argv[0].rpartition("/")[2]
        if asked == "reload":
            self.out = node != "http-lb2"
        waits = node == "http-lb2" and self.out and asked in {"ready", "await"}
        return replace(result, rc=1, stdout="no server in the pool") if waits else result


def test_a_node_that_waits_for_its_own_change_is_not_waited_for(full: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a balancer that leads to the nodes of an interrupted `lab up` alone."""
    monkeypatch.setattr("lab.lifecycle.apply.LATE_SECONDS", 0.2)
    backend = Leading(full.name)
    up(full, backend, Silent())
    backend.done.clear()
    up(parse(FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}")), backend, Silent(), seconds=5)
    assert [what for what in backend.done if what.endswith("reload")] == ["run http-lb1 reload", "run http-lb2 reload"]


class Awaiting(MemoryBackend):
    """A node is not ready until another one was changed."""

    waits, other = "", ""
    ready = True

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        result = super().run(node, argv, seconds=seconds)
        asked = argv[0].rpartition("/")[2]
        self.ready |= asked == "reload" and node == self.other
        if node == self.waits and not self.ready and asked in {"ready", "await"}:
            return replace(result, rc=1, stdout="the other one has its former files")
        return result


STICKY = FULL.replace("web: {count: 3}", "web: {count: 3, sticky: true}")
DATABASES = f"{FULL}mysql: {{count: %d}}\n"


@pytest.mark.parametrize(
    ("before", "after", "waits", "other"),
    [(FULL, STICKY, "http-lb1", "http-lb2"), (DATABASES % 1, DATABASES % 2, "mysql2", "mysql1")],
    ids=["not ready before", "joining"],
)
def test_a_node_that_becomes_ready_by_the_change_of_another_has_not_failed(
    before: str, after: str, waits: str, other: str
) -> None:
    backend, heard = Awaiting("golden"), Stepped()
    up(parse(before), backend, Silent())
    backend.waits, backend.other, backend.ready = waits, other, False
    up(parse(after), backend, heard)
    assert backend.ready, "the other one was changed"
    assert heard.steps[waits][-1] == "not ready yet: awaited again at the end"
    assert not [text for steps in heard.steps.values() for text in steps if "failed" in text]


def test_a_node_that_was_not_ready_and_is_refused_its_change_has_failed(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    heard = Stepped()
    memory.answers |= {"reload": (1, "not valid"), "ready": (1, "no server in the pool")}
    with pytest.raises(BackendError, match="http-lb1 rejected its new files"):
        up(parse(STICKY), memory, heard)
    assert heard.steps["http-lb1"][-1] == "failed: http-lb1 rejected its new files: not valid"


class Stopping(MemoryBackend):
    """An interrupted command began to stop a node: it ends at a command of the name `at`, the first or a later one."""

    node, at = "", ""
    left = 1

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        if (node, argv[0].rpartition("/")[2]) == (self.node, self.at):
            self.left -= 1
            if not self.left:
                self.stop(node)
        result = super().run(node, argv, seconds=seconds)
        gone = self.observe().node(node)
        return result if gone and gone.state is State.RUNNING else replace(result, rc=137)


@pytest.mark.parametrize(
    ("asked", "change"), [("await", ""), ("reload", ", sticky: true"), ("await", ", sticky: true")]
)
def test_a_node_that_is_being_stopped_is_started(full: Cluster, asked: str, change: str) -> None:
    """Whether it is to be changed or not: the engine goes on with what an interrupted command began."""
    backend = Stopping(full.name)
    up(full, backend, Silent())
    backend.done.clear()
    backend.node, backend.at = "http-lb2", asked
    changed = parse(FULL.replace("web: {count: 3}", f"web: {{count: 3{change}}}"))
    done = {action.node: action.kind for action in up(changed, backend, Silent()).changes}
    assert done["http-lb2"] is (Kind.UPDATE if change else Kind.START)
    assert [entry for entry in backend.done if entry.startswith(("stop", "start"))] == [
        "stop http-lb2",
        "start http-lb2",
    ]
    assert _kinds(changed, backend) == {}


@pytest.mark.parametrize("paused", [False, True])
def test_a_node_that_ends_between_the_changes_of_others_is_counted(full: Cluster, *, paused: bool) -> None:
    """Each wave waits for it; `paused`: http-lb1, which is changed in the first wave, is resumed before."""
    backend = Stopping(full.name)
    up(full, backend, Silent())
    if paused:
        backend.pause("http-lb1")
    backend.done.clear()
    backend.node, backend.at = "tcp-lb1", "await"
    changes = {action.node: action.kind for action in up(parse(STICKY), backend, Silent()).changes}
    reloads = [place for place, entry in enumerate(backend.done) if entry.endswith("reload")]
    assert reloads[0] < backend.done.index("start tcp-lb1") < reloads[-1]
    assert changes == {"tcp-lb1": Kind.START, "http-lb1": Kind.UPDATE, "http-lb2": Kind.UPDATE}


def test_a_node_that_was_resumed_and_ends_while_all_are_awaited_is_started(full: Cluster) -> None:
    """Its third wait: the first is between the waves, the second after its own change."""
    backend = Stopping(full.name)
    up(full, backend, Silent())
    backend.pause("http-lb2")
    backend.done.clear()
    backend.node, backend.at, backend.left = "http-lb2", "await", 3
    up(parse(STICKY), backend, Silent())
    starts = [place for place, entry in enumerate(backend.done) if entry == "start http-lb2"]
    assert len(starts) == 2
    assert starts[0] < backend.done.index("run http-lb2 reload") < backend.done.index("stop http-lb2") < starts[1]
    assert _kinds(parse(STICKY), backend) == {}


def test_a_node_that_was_started_and_ends_is_not_started_again(full: Cluster) -> None:
    backend = Stopping(full.name)
    backend.node, backend.at = "http-lb2", "await"
    with pytest.raises(NotReady, match="http-lb2 is not ready"):
        up(full, backend, Silent())
    assert backend.done.count("start http-lb2") == 1


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


def test_a_node_that_does_not_start_is_told_of_before_the_others_have_been_awaited(
    full: Cluster, memory: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, start, run = threading.Event(), memory.start, memory.run

    class Reader(Silent):
        def step(self, subject: str, text: str, *, done: bool = False) -> None:
            if (subject, text, done) == ("web1", "failed: web1 does not boot", False):
                told.set()

    def failing(node: str) -> None:
        if node == "web1":
            raise BackendError("web1 does not boot\nits console's last lines")
        start(node)

    def awaited(node: str, argv: Sequence[str], **settings: Any) -> Result:
        assert node != "client" or told.wait(10), "the client waited first"
        return run(node, argv, **settings)

    monkeypatch.setattr(memory, "start", failing)
    monkeypatch.setattr(memory, "run", awaited)
    with pytest.raises(BackendError, match="web1 does not boot"):
        up(full, memory, Reader())


def test_only_missing_images_are_built(full: Cluster, memory: MemoryBackend) -> None:
    up(full, memory, Silent())
    assert sorted(memory.built) == sorted(recipe(role, "debian").tag for role in ("web", "http-lb", "tcp-lb", "client"))
