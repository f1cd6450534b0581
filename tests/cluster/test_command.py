"""The command as a person uses it: interrupted, twice at once, with ports taken, with the topology gone."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from lab import paths
from lab.backends.docker.backend import DockerBackend
from lab.backends.optional import endpoints
from lab.names import LABEL, NAMESPACE
from lab.plan import MANIFEST
from tests.cluster.person import LAB, SMALL, UP_SECONDS

if TYPE_CHECKING:
    from lab.testing import LabCluster
    from tests.cluster.person import Person

STAGE8_NODES = 7
END_SECONDS = 30  # until a command that was killed, or whose reader has gone, has ended
STEPS = 40  # lines that the longest of the changes prints, at most
TLS = {"/etc/lab/site.pem", "/etc/lab/ca.crt", MANIFEST}


def test_a_status_that_is_watched_by_a_pipe_ends_with_its_reader(settled: Person) -> None:
    with settled.start("status", "--watch") as watching:
        assert watching.stdout
        assert watching.stdout.readline().startswith("cluster ")
        watching.stdout.close()
        assert watching.wait(timeout=settled.backend.clock.guard(END_SECONDS)) == 0


def _family(person: Person) -> str:
    """The family of the images that are there."""
    said = person.lab("images", "list")
    return next(family for family in ("debian", "centos") if f"/client:{family}" in said)


@pytest.mark.nightly("half a minute; at every change the rule is a unit test (test_places.py)")
def test_what_has_a_nodes_name_and_is_not_the_labs_is_found_before_anything_is_made(person: Person) -> None:
    if not isinstance(person.backend, DockerBackend):
        pytest.skip("a container is Docker's")
    person.lab("build", "client")
    made = person.backend.api.create_container(
        f"{NAMESPACE}/client:{_family(person)}", name=f"{person.backend.cluster}-web1"
    )
    try:
        for verb in ("doctor", "plan", "up"):
            said = " ".join(person.lab(verb, code=2).split())
            assert "already exists and is not the lab's" in said
        assert person.nodes() == []
    finally:
        person.backend.api.remove_container(made["Id"])


_EDGES = pytest.mark.nightly(
    "a dozen seconds each: at every change it is killed between its first node and its last, and a unit test interrupts"
    " every call of a change"
)


@pytest.mark.parametrize("nodes", [pytest.param(0, marks=_EDGES), 1, pytest.param(3, marks=_EDGES)])
def test_up_killed_anywhere_is_repaired_by_the_next(person: Person, nodes: int) -> None:
    with person.start("up") as first:
        person.backend.clock.until(f"{nodes} nodes to exist", 60, person.nodes, lambda found: len(found) >= nodes)
        first.send_signal(signal.SIGKILL)
        first.communicate(timeout=person.backend.clock.guard(END_SECONDS))
    person.lab("up")
    person.lab("status")
    assert "nothing to change" in person.lab("up")
    assert len(person.nodes()) == 3


@pytest.mark.nightly("half a minute; at every change an 'up' that was killed is repaired by the next")
def test_a_node_whose_stop_was_killed_is_started_by_the_next_up(settled: Person) -> None:
    """The engine goes on with the stop, and the node runs yet when `up` looks: its httpd ends when it is killed."""
    backend, services = settled.backend, ["supervisorctl", "-c", "/etc/lab/supervisord.conf"]
    settled.lab("up")
    backend.run("web1", ["sh", "-c", f"kill -STOP $({' '.join(services)} pid httpd)"])
    with settled.start("stop", "web1") as stopping:

        def said() -> str:
            return backend.run("web1", [*services, "status"]).stdout

        backend.clock.until("web1 to be stopped", 30, said, lambda status: "SHUTDOWN" in status)
        stopping.send_signal(signal.SIGKILL)
        stopping.communicate(timeout=backend.clock.guard(END_SECONDS))
    assert "web1" in settled.lab("up")
    settled.lab("status")
    assert "nothing to change" in settled.lab("up")


CHANGES = {
    "an option": (["up"], "web: {count: 1, php-children: 20}\nhttp-lb: {count: 1, answer-timeout: 7}\n"),
    "more nodes": (["up"], "web: {count: 2}\nhttp-lb: {count: 1}\n"),
    "fewer roles": (["up"], "web: {count: 1}\n"),
    "certificates": (["renew"], SMALL),
    "the CA": (["renew", "--ca"], SMALL),
}


@pytest.mark.nightly(
    "two minutes each: two changes of a cluster for each line that the command prints; at every change 'lab up' is"
    " killed while it makes nodes, and a unit test interrupts every call of a change"
)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_killed_at_any_step_is_reverted_by_the_old_topology(person: Person, change: str) -> None:
    """A step is a line that the command prints. Each node has the files that the old topology means, and no other."""
    verb, topology = CHANGES[change]
    file = person.folder / "cluster.yaml"
    person.lab("up")
    kept = _files(person)
    for step in range(1, STEPS):
        file.write_text(topology, encoding="utf-8")
        with person.start(*verb) as running:
            assert running.stderr
            lines = list(itertools.islice(running.stderr, step))
            running.send_signal(signal.SIGKILL)
            running.communicate(timeout=person.backend.clock.guard(END_SECONDS))
        ended = len(lines) < step
        file.write_text(SMALL, encoding="utf-8")
        person.lab("up")
        now = _files(person)
        if verb[0] == "renew":
            kept = {
                node: files | {path: now[node][path] for path in TLS & files.keys()} for node, files in kept.items()
            }
        assert now == kept, lines
        assert "nothing to change" in person.lab("plan")
        person.lab("status")
        if ended:
            return
    pytest.fail(f"more than {STEPS} steps: {lines}")


def _files(person: Person) -> dict[str, dict[str, str]]:
    """The digests of the files that each node has, by path; each is what its manifest says."""
    found = {}
    for node in person.nodes():
        manifest = json.loads(person.backend.get(node, MANIFEST) or b"{}")
        found[node] = {path: hashlib.sha256(person.backend.get(node, path) or b"").hexdigest() for path in manifest}
        assert found[node] == manifest, node
    return found


def test_ctrl_c_ends_up_at_once_and_down_removes_what_was_made(person: Person) -> None:
    with person.start("up") as first:
        person.backend.clock.until("a node to exist", 60, person.nodes)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=person.backend.clock.guard(20))
    assert first.returncode == 130
    assert "'lab up' continues from here" in said
    (person.folder / "cluster.yaml").unlink()
    person.lab("down", "--volumes")
    assert not person.nodes()


def test_two_ups_at_once_one_waits_and_says_for_whom(person: Person) -> None:
    """The first one stands still until the second one has found it: on a busy machine it might end before."""
    with person.start("up") as first:
        person.backend.clock.until("the first to have begun", 60, person.nodes)
        first.send_signal(signal.SIGSTOP)
        guard = threading.Timer(person.backend.clock.guard(60), first.send_signal, [signal.SIGCONT])
        guard.start()
        with person.start("up") as second:
            assert second.stderr
            heard = next((line for line in second.stderr if "busy with" in line), "")
            first.send_signal(signal.SIGCONT)
            guard.cancel()
            first.communicate(timeout=person.backend.clock.guard(UP_SECONDS))
            said, _ = second.communicate(timeout=person.backend.clock.guard(UP_SECONDS))
    assert (first.returncode, second.returncode) == (0, 0)
    assert f"busy with 'lab up' (process {first.pid})" in heard
    assert "nothing to change" in said


def test_without_an_engine_the_screen_says_what_to_do(person: Person) -> None:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = subprocess.run(
        [*LAB, "status"], env=environment, capture_output=True, text=True, check=False, cwd=person.folder
    )
    assert done.returncode == 2
    assert "no Docker engine answers" in done.stderr
    assert "lab doctor --fix" in done.stderr


def test_status_json_keeps_its_contract(person: Person, settled: Person) -> None:
    assert json.loads(person.lab("status", "--json", code=1))["ready"] is False
    found = json.loads(settled.lab("status", "--json"))
    assert list(found) == ["cluster", "backend", "family", "ready", "nodes", "endpoints", "vip_holder"]
    keys = ["name", "role", "state", "ready", "address", "image", "reason", "limits", "by_hand", "left_services"]
    assert list(found["nodes"][0]) == keys, "keys are added, never changed or removed"
    assert {"site", "site-http"} <= {entry["name"] for entry in found["endpoints"]}
    assert found["ready"] is True
    assert found["vip_holder"] is None  # this topology has no VIP


def test_down_needs_no_valid_topology_and_touches_nobody_else(person: Person, cluster: LabCluster) -> None:
    person.lab("up")
    (person.folder / "cluster.yaml").write_text("web: [broken", encoding="utf-8")
    person.lab("down")
    assert not person.nodes()
    assert cluster.status().ready


@pytest.mark.parametrize(
    "before",
    [[], *(pytest.param(verb, marks=pytest.mark.nightly("a cluster of its own")) for verb in (["kill"], ["down"]))],
)
def test_another_home_is_refused_and_nothing_is_changed(settled: Person, before: list[str]) -> None:
    """As with sudo, by a colleague, or after a home was lost."""
    authority = settled.lab("open", "--ca")
    if before:
        settled.lab(*before, *(settled.nodes() if before == ["kill"] else []))
    kept = {node: settled.backend.get(node, MANIFEST) for node in settled.nodes()}
    own = settled.environment.get("XDG_DATA_HOME")
    settled.environment["XDG_DATA_HOME"] = str(settled.folder / "second")
    for verb in (["up"], ["plan"], ["up", "--scale", "web=2"], ["open", "--ca"], ["open"]):
        said = settled.lab(*verb, code=2)
        assert f"the cluster '{settled.backend.cluster}' has secrets, and they are not in {settled.folder}" in said
        assert f"{socket.gethostname()}:{paths.secrets(settled.backend.cluster)}" in said
    assert not (settled.folder / "second").exists()
    assert {node: settled.backend.get(node, MANIFEST) for node in settled.nodes()} == kept
    settled.environment.pop("XDG_DATA_HOME")
    settled.environment.update({"XDG_DATA_HOME": own} if own else {})
    settled.lab("up")
    assert settled.lab("open", "--ca") == authority


def test_data_survives_down_and_goes_with_volumes(person: Person) -> None:
    """Where somebody else removed the volumes, or one of them, that is said, once."""
    warning = f"the volumes of '{person.backend.cluster}' no longer exist"
    one = f"volumes of '{person.backend.cluster}' no longer exist and were not removed by 'lab down'; empty ones are"
    posts, post = "http://web1/api/posts", ("--form-string", "message=kept")
    person.write("web: {count: 1}\n")
    assert warning not in person.lab("up")
    person.ask(posts, *post)
    person.lab("down")
    assert warning not in person.lab("up")
    assert "kept" in person.ask(posts)
    if person.backend.name == "docker":  # on Xen a volume is no object that others prune
        person.lab("down")
        ours = ["docker", "volume", "ls", "-q", "--filter", f"label={LABEL}.cluster={person.backend.cluster}"]
        volumes = subprocess.run(ours, check=True, capture_output=True, text=True).stdout.split()
        assert volumes
        mine = f"{person.backend.cluster}-web1-guestbook"
        subprocess.run(["docker", "volume", "rm", mine], check=True, capture_output=True)
        assert f"{one} created: web1-guestbook" in person.lab("plan")
        assert f"{one} created: web1-guestbook" in person.lab("up")
        assert one not in person.lab("up")
        assert "kept" not in person.ask(posts)
        person.ask(posts, *post)
        person.lab("down")
        volumes = subprocess.run(ours, check=True, capture_output=True, text=True).stdout.split()
        subprocess.run(["docker", "volume", "rm", *volumes], check=True, capture_output=True)
        assert warning in person.lab("up")
        assert warning not in person.lab("up")
        assert "kept" not in person.ask(posts)
        person.ask(posts, *post)
    assert "kept" in person.ask(posts)
    person.lab("down", "--volumes")
    assert warning not in person.lab("up")
    assert "kept" not in person.ask(posts)


def test_the_stages_of_the_series_one_after_the_other(person: Person) -> None:
    """Each part is added to what is there; what visitors left stays."""
    most = person.backend.capabilities().max_nodes
    if most is not None and most < STAGE8_NODES:
        pytest.skip(f"the last stage has {STAGE8_NODES} nodes, {person.backend.name} takes {most} at once")
    whoami, posts = f"www.{person.backend.cluster}.test/whoami", "http://web1/api/posts"
    person.lab("up", "-f", "stage1")
    person.ask(posts, "--form-string", "message=part one")
    assert '"scheme":"http"' in person.ask(f"http://{whoami}")
    person.lab("up", "-f", "stage3")
    assert '"scheme":"https"' in person.ask(f"https://{whoami}")
    assert "holds the VIP" in person.lab("up", "-f", "stage8")
    assert '"scheme":"https"' in person.ask(f"https://{whoami}")
    assert "part one" in person.ask(posts)
    person.lab("up", "-f", "stage1")
    assert person.nodes() == ["client", "web1"]


def test_the_published_ports_lead_to_the_site(settled: Person) -> None:
    import requests

    authority = settled.folder / "ca.pem"
    authority.write_text(settled.lab("open", "--ca"), encoding="utf-8")
    urls = {entry["name"]: entry["url"] for entry in json.loads(settled.lab("status", "--json"))["endpoints"]}
    answer = requests.get(urls["site"] + "whoami", verify=str(authority), timeout=settled.backend.clock.guard(10))
    assert answer.json()["node"] == "web1"
    followed = requests.get(urls["site-http"], verify=str(authority), timeout=settled.backend.clock.guard(10))
    assert followed.url == urls["site"]
    assert endpoints(settled.backend).endpoint(443) in urls["site"].replace("localhost", "127.0.0.1")


def test_exec_logs_and_power_verbs(settled: Person) -> None:
    assert settled.lab("exec", "web1", "--", "sh", "-c", "echo out; exit 3", code=3) == "out\n"
    assert "did you mean 'web1'?" in settled.lab("exec", "wbe1", "true", code=2)
    blob = os.urandom(200_000) + b"\r\n\x00\xff"
    assert settled.piped("exec", "web1", "--", "sh", "-c", "cat; exit 4", stdin=blob) == (4, blob)
    assert "web1" in settled.lab("logs", "--tail", "2")
    with settled.start("logs", "--follow", "web1", "client") as followed:
        assert followed.stdout
        followed.stdout.readline()
        followed.stdout.close()
        assert followed.wait(timeout=settled.backend.clock.guard(20)) == 0, "nobody reads on, and it follows"
        assert followed.stderr
        assert followed.stderr.read() == ""
    assert "is stopped" in settled.lab("kill", "web1") + settled.lab("status", code=1)
    assert "'lab start web1' starts it" in settled.lab("exec", "web1", "true", code=1)
    assert "ready" in settled.lab("start", "web1")
    assert "is paused" in settled.lab("pause", "web1") + settled.lab("status", code=1)
    assert "nothing to change" not in settled.lab("up")
    settled.lab("status")
    assert "web1: ready" in settled.lab("restart", "web1")


def test_plan_says_why_before_up_does_it(settled: Person) -> None:
    settled.write("web: {count: 2, php-children: 12}\nhttp-lb: {count: 1}\n")
    said = " ".join(settled.lab("plan").split())
    assert "update web1" in said
    assert "/etc/lab/php-fpm.conf" in said
    assert "create web2 does not exist" in said
    assert settled.nodes() == ["http-lb1", "client", "web1"]
    said = settled.lab("up")
    assert "1 created, 3 updated" in said or "3 updated, 1 created" in said


def test_enter_opens_a_shell(settled: Person) -> None:
    if not shutil.which("script"):
        pytest.skip("no 'script' to make a terminal with")
    done = subprocess.run(
        ["script", "-qec", f"{LAB[0]} enter web1", "/dev/null"],
        input="hostname; exit\n",
        text=True,
        capture_output=True,
        timeout=settled.backend.clock.guard(30),
        check=True,
        env=settled.environment,
    )
    assert "web1" in done.stdout
