"""Whoever takes all that he can get leaves the others served: slow questions, idle connections, logins at once."""

from __future__ import annotations

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.cluster.pools import alone
from tests.markers import WEB

if TYPE_CHECKING:
    from lab.testing import LabCluster

SLOW, IDLE, SILENT, LOGINS, KNOCKING = 20, 4300, 1500, 24, 40
SLOW_SECONDS = 12  # for which the slow questions are asked: many times what a health check waits
CROWD_SECONDS = 60  # for which a crowd holds its connections at most: it is sent away when all has been asked
LOOKS = 3
TLS = (465, 993)
LOGIN_PROCESSES, MOST_LOGIN_PROCESSES = "pgrep -fc 'dovecot/[a-z]+-logi[n]'", 4
"""Those of Dovecot that greet: two for IMAP and one for Sieve; one for each connection would take the processor."""

PATIENCE = 15  # seconds that a client waits to be greeted; programs for mail wait half a minute or more
GREETED = """
import socket, ssl, sys
host, port, tls, patience = sys.argv[1], *map(int, sys.argv[2:])
made = socket.create_connection((host, port), patience)
if tls:
    context = ssl.create_default_context(cafile="/etc/lab/ca.crt")
    context.check_hostname = False
    made = context.wrap_socket(made)
said = made.recv(200)
print("greeted" if said and b"Too many" not in said else ascii(said))
"""
CROWD = """
import select, socket, sys, time
host, port, count, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
held = []
for _ in range(count):
    made = socket.socket()
    made.setblocking(False)
    made.connect_ex((host, port))
    held.append(made)
print("here", flush=True)
time.sleep(seconds)
"""
PEOPLE_BY_TLS = 230  # more than two nodes have login processes at most (Dovecot's process_limit is 100)
SESSIONS = """
import socket, ssl, sys
host, count, patience = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
context = ssl.create_default_context(cafile="/etc/lab/ca.crt")
context.check_hostname = False
held = [context.wrap_socket(socket.create_connection((host, 993), patience)) for _ in range(count)]
greeted = sum(made.recv(200).startswith(b"* OK") for made in held)
for made in held:
    made.sendall(b"a NOOP\\r\\n")
print(greeted, "greeted,", sum(made.recv(200).startswith(b"a OK") for made in held), "stay")
"""

BODIES, BODY_SECONDS = 148, 25  # more than httpd has threads; for longer than a check needs to take a node out
TRICKLE = """
import collections, socket, ssl, sys, time
host, site, count, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
context = ssl.create_default_context(cafile="/etc/lab/ca.crt")
head = f"POST /api/posts HTTP/1.1\\r\\nHost: {site}\\r\\nContent-Type: application/x-www-form-urlencoded\\r\\n"
held, answers = [], collections.Counter()
for _ in range(count):
    made = context.wrap_socket(socket.create_connection((host, 443), 20), server_hostname=site)
    made.sendall(f"{head}Content-Length: 20000\\r\\n\\r\\nmessage=".encode())
    made.setblocking(False)
    held.append(made)
print("here", file=open("/run/trickle", "w"), flush=True)
end = time.monotonic() + seconds
while time.monotonic() < end:
    for made in [*held]:
        try:
            made.sendall(b"x" * 3)
            answers[made.recv(100).decode().partition("\\r")[0]] += 1
        except ssl.SSLWantReadError:
            continue
        except OSError as error:
            answers[type(error).__name__] += 1
        held.remove(made)
    time.sleep(1)
print(len(held), "held,", dict(answers))
"""


def _made(cluster: LabCluster) -> int:
    """The crowd's connections, counted where they are made: the balancer refuses most of them at once."""
    return int(cluster.run("client", "ls /proc/$(pgrep -xf 'python3 /root/crowd.py .*')/fd | wc -l").stdout or 0)


@pytest.mark.smaller("the web tier is all it needs", topology=WEB)
def test_slow_questions_leave_the_site_and_the_health_check_served(cluster: LabCluster) -> None:
    limit = cluster.clock.option(SLOW_SECONDS)
    slow = (
        f"for i in $(seq {SLOW}); do curl -s -o /dev/null -w '%{{http_code}}\\n' --max-time {limit} "
        f"--cacert /etc/lab/ca.crt 'https://{cluster.host}/slow?ms=10000' & done; wait"
    )
    balancers = [node.name for node in cluster.plan.role("http-lb")]
    before = {name: sum(1 for _ in cluster.logs(name)) for name in balancers}
    with alone(cluster, "web1"), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(cluster.run, "client", slow, seconds=120)
        cluster.until(
            "slow questions at work",
            10,
            lambda: cluster.run("web1", "pgrep -fc 'php-fpm: pool slow'").stdout,
            lambda found: int(found or 0) >= 2,
        )
        looks, curl = 0, f"curl -fsS --max-time {cluster.clock.option(1)}"
        while not asked.done():
            assert json.loads(cluster.ask("/whoami", "--max-time", cluster.clock.option(3)))["node"] == "web1"
            assert cluster.run("web1", f"{curl} http://127.0.0.1/healthz").stdout == "ok\n"
            looks += 1
        codes = asked.result().stdout.split()
    assert looks > 5
    assert len(codes) == SLOW
    said = [line for name in balancers for line in cluster.logs(name)[before[name] :]]
    assert not any("web/web1 is DOWN" in line for line in said)


@pytest.mark.nightly("half a minute; at every change slow questions, and uploads that stop before their end")
@pytest.mark.smaller("the web tier is all it needs", topology=WEB)
def test_slow_bodies_leave_the_site_and_its_uploads_served(cluster: LabCluster) -> None:
    """From one address, more than a web node has threads."""
    balancers = cluster.require("http-lb", 1)
    others = cluster.require("web", 2)
    cluster.backend.put("client", {"/root/trickle.py": (TRICKLE.encode(), 0o644)})
    before = {name: sum(1 for _ in cluster.logs(name)) for name in balancers}
    trickle = f"rm -f /run/trickle; exec python3 /root/trickle.py {cluster.host} {cluster.host} {BODIES} {BODY_SECONDS}"
    limit = cluster.clock.option(4)
    post = (
        f"head -c 20000 /dev/zero | tr '\\0' x | curl -sk -o /dev/null -w '%{{http_code}}' --max-time {limit} "
        f"--http1.1 -H 'Host: {cluster.host}' -F message=other -F 'note=<-' https://{cluster.plan.vip}/api/posts"
    )
    health = f"curl -fsS --max-time {cluster.clock.option(2)} http://127.0.0.1/healthz"
    with alone(cluster, "web1"), ThreadPoolExecutor(1) as pool:
        sent = pool.submit(cluster.run, "client", trickle, seconds=4 * BODY_SECONDS)
        cluster.until("all bodies to be begun", 30, lambda: cluster.run("client", "test -s /run/trickle").ok)
        looks = 0
        while not sent.done():
            assert json.loads(cluster.ask("/whoami", "--max-time", limit))["node"] == "web1"
            assert cluster.run("web1", health).stdout == "ok\n"
            assert cluster.run(others[1], post).stdout == "201"
            looks += 1
    assert looks > 5
    assert "429 Too Many Requests" in sent.result().stdout, sent.result()
    lines = [line for name in balancers for line in cluster.logs(name)[before[name] :]]
    assert not any("web/web1 is DOWN" in line for line in lines)


_VIP_80 = pytest.param(
    80,
    "vip",
    marks=pytest.mark.nightly(
        "ten seconds: to a TCP balancer as 443, which is tried at every change; so is 80 behind it"
    ),
)
_VIP_8404 = pytest.param(8404, "vip", marks=pytest.mark.nightly("seven seconds: to a TCP balancer as 443"))


@pytest.mark.smaller("the web tier is all it needs", topology=WEB)
@pytest.mark.parametrize(("port", "entrance"), [_VIP_80, (443, "vip"), _VIP_8404, (80, "http-lb1")])
def test_idle_connections_leave_the_others_served(cluster: LabCluster, port: int, entrance: str) -> None:
    balancers = cluster.require("tcp-lb", 2)
    cluster.require("http-lb", 1)
    holders = cluster.vip_holders()
    target = cluster.plan.vip if entrance == "vip" else cluster.plan.node(entrance).address
    cluster.backend.put("client", {"/root/crowd.py": (CROWD.encode(), 0o644)})
    # As long as it takes a balancer whose HAProxy is kept from answering to lose the VIP, and one check more.
    held_seconds = (cluster.bound("vip-leaves-a-dead-haproxy") or 0.0) + 1.5
    crowd = f"ulimit -n 10000; exec python3 /root/crowd.py {target} {port} {IDLE} {held_seconds}"
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(cluster.run, "client", crowd, seconds=60)
        cluster.until("the crowd", 30, lambda: _made(cluster) > IDLE)
        other, looks = cluster.require("web", 1)[0], 0
        while not held.done():
            looks += 1
            for balancer in balancers:
                own = cluster.run(balancer, f"curl -fsS --max-time {cluster.clock.option(1)} http://127.0.0.1:8405/")
                assert own.ok, f"{balancer}: {own.last_line}"
            # From another address, by the same door.
            scheme, door = ("https", 443) if port == 443 else ("http", port)
            path = "/node" if port == 8404 else "/"
            curl = f"curl -sk -o /dev/null -w '%{{http_code}}' --max-time {cluster.clock.option(3)}"
            asked = cluster.run(other, f"{curl} {scheme}://{target}:{door}{path}")
            assert asked.stdout in ("200", "301", "421"), (asked.stdout, asked.last_line)
            assert cluster.vip_holders() == holders
        assert held.result().ok
    assert looks, "the crowd had gone before anything was asked"
    assert cluster.ask("/healthz") == "ok\n"
    for balancer in balancers:
        assert not any("FAULT STATE" in line for line in cluster.logs(balancer, tail=100))


@pytest.mark.read_only
def test_silent_connections_to_any_service_leave_the_others_greeted(cluster: LabCluster) -> None:
    """Every service that the TCP balancers lead to, but the site, whose visitors speak first."""
    cluster.require("tcp-lb", 1)
    other = cluster.require("web", 1)[0]
    ports = {own.name: own.options.port for own in cluster.plan.listeners if own.role != "http-lb"}
    if not ports:
        pytest.skip("the topology has no service but the site")
    cluster.backend.put("client", {"/root/crowd.py": (CROWD.encode(), 0o644)})
    cluster.backend.put(other, {"/root/greeted.py": (GREETED.encode(), 0o644)})
    greeted: dict[str, set[str]] = {}
    held_seconds, patience = cluster.clock.option(CROWD_SECONDS), cluster.clock.option(PATIENCE)
    for name, port in ports.items():
        crowd = f"ulimit -n 10000; exec python3 /root/crowd.py {cluster.plan.vip} {port} {SILENT} {held_seconds}"
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(cluster.run, "client", crowd, seconds=2 * CROWD_SECONDS)
            try:
                cluster.until("the crowd", 30, lambda: _made(cluster) > SILENT)
                processes = [cluster.run(node.name, LOGIN_PROCESSES).stdout for node in cluster.plan.role("mail")]
                assert all(int(number) <= MOST_LOGIN_PROCESSES for number in processes), f"{name}: {processes}"
                for _ in range(LOOKS):
                    command = f"python3 /root/greeted.py {cluster.plan.vip} {port} {int(port in TLS)} {patience}"
                    answer = cluster.run(other, command, seconds=3 * PATIENCE)
                    greeted.setdefault(name, set()).add(answer.stdout if answer.ok else answer.last_line)
                assert not held.done(), "the crowd had gone"
            finally:
                cluster.run("client", "pkill -xf 'python3 /root/crowd.py .*'")
    assert greeted == {name: {"greeted\n"} for name in ports}


@pytest.mark.read_only
def test_mail_nodes_have_more_people_by_tls_than_they_may_have_login_processes(cluster: LabCluster) -> None:
    """Who is greeted stays, also when others come after."""
    cluster.require("mail", 2)
    cluster.require("tcp-lb", 1)
    other = cluster.require("web", 1)[0]
    cluster.backend.put(other, {"/root/sessions.py": (SESSIONS.encode(), 0o644)})
    command = f"python3 /root/sessions.py {cluster.plan.vip} {PEOPLE_BY_TLS} {cluster.clock.option(PATIENCE)}"
    done = cluster.run(other, command, seconds=4 * PATIENCE)
    assert done.stdout == f"{PEOPLE_BY_TLS} greeted, {PEOPLE_BY_TLS} stay\n", done.last_line


def test_logins_at_once_and_silent_knocking_leave_the_others_to_come_in(cluster: LabCluster) -> None:
    cluster.require("shell", 1)
    from tests.cluster.school import KEYS

    made = cluster.run("client", f"rm -rf {KEYS}; mkdir -m 700 {KEYS}; ssh-keygen -q -t ed25519 -N '' -f {KEYS}/kim")
    assert made.ok, made.last_line
    from lab.topology.users import User

    user = User(keys=[cluster.run("client", f"cat {KEYS}/kim.pub").stdout])
    door = cluster.plan.vip or cluster.plan.node("shell1").address
    limit = f"-o ConnectTimeout={cluster.clock.option(20)}"
    options = f"-p 22 -i {KEYS}/kim -o UserKnownHostsFile=/etc/lab/known_hosts -o BatchMode=yes {limit}"
    # By the gateway, as by the published port: all have the client node's address.
    login = f"ssh {options} -o HostKeyAlias={door} kim@127.0.0.1"
    cluster.backend.put("client", {"/root/crowd.py": (CROWD.encode(), 0o644)})
    many = (
        f"python3 /root/crowd.py 127.0.0.1 22 {KNOCKING} 60 & sleep 1; "
        f"for i in $(seq {LOGINS}); do (sh -c {shlex.quote(login + ' echo in')} || echo out) & done; "
        "wait $(jobs -p | tail -n +2); kill %1"
    )
    with cluster.changed(cluster.spec.model_copy(update={"users": {"kim": user}})):
        cluster.until("kim to log in", 30, lambda: cluster.run("client", f"{login} true"), lambda done: done.ok)
        said = cluster.backend.run("client", ["bash", "-c", many], seconds=120)
        assert said.stdout.split().count("in") == LOGINS, said
