"""Who is no node of the MySQL cluster gets nothing from its keepers, and can't make them hold anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab.testing import LabCluster

pytestmark = pytest.mark.smaller("three databases and a balancer are all it needs", topology="stage6")

STATUS, NODES = 9104, 9105
PATHS = [
    "/",
    "/state",
    "/vote",
    "/stand",
    "/clone",
    "/switchover",
    "/reclone",
    "/renew",
    "/hand-over",
    "/role",
    "/primary",
    "/replica",
    "/../state",
]
METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS"]
PUBLIC = {"/role": {"role"}, "/primary": {"role", "serves", "lag", "position"}}
PUBLIC["/replica"] = PUBLIC["/primary"]

ASK = """
for method in {methods}; do for path in {paths}; do
    got=$({curl} -X $method -w ' %{{http_code}}' {url}$path 2> /dev/null | tr -d '\\n')
    echo "$method $path ${{got:-none}}"
done; done
"""

RAW = """
import socket, sys, time
sent = eval(sys.argv[2])
with socket.create_connection((sys.argv[1], 9104), timeout=12) as c:
    begun = time.monotonic()
    c.settimeout(12)
    try:
        c.sendall(sent)
        if sys.argv[3] == "slow":
            while time.monotonic() < begun + 12:
                c.sendall(b"a")
                time.sleep(0.2)
        said = c.recv(1000)
    except OSError:
        said = b""
    print(said.split(b"\\r\\n")[0].decode(), "%.0f" % (time.monotonic() - begun))
"""


@pytest.fixture(autouse=True)
def _three(cluster: LabCluster) -> None:
    cluster.require("mysql", 3)


def _answers(cluster: LabCluster, url: str) -> dict[tuple[str, str], str]:
    curl = f"curl -sk --path-as-is --max-time {cluster.clock.option(10)}"
    command = ASK.format(methods=" ".join(METHODS), paths=" ".join(PATHS), url=url, curl=curl)
    said = cluster.run("client", command, seconds=300).stdout
    return {(line.split()[0], line.split()[1]): " ".join(line.split()[2:]) for line in said.splitlines() if line}


@pytest.mark.read_only
def test_without_a_certificate_the_nodes_port_answers_nothing(cluster: LabCluster) -> None:
    for (method, path), got in _answers(cluster, f"https://mysql1:{NODES}").items():
        assert got == "000", f"{method} {path}: {got}"


@pytest.mark.read_only
def test_only_another_mysql_node_of_the_same_ca_is_listened_to(cluster: LabCluster) -> None:
    port = f"https://{cluster.plan.node('mysql1').address}:{NODES}/state"
    limit = cluster.clock.option(5)
    curl = f"curl -s -o /dev/null -w '%{{http_code}}' --max-time {limit} --cacert /etc/lab/ca.crt -X POST"
    assert cluster.run("mysql2", f"{curl} --cert /etc/lab/mysql.pem {port}").stdout == "200"
    made = cluster.run(
        "mysql2",
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout /tmp/k.pem -out /tmp/c.pem -subj /CN=mysql2 "
        "-addext subjectAltName=DNS:mysql2 2> /dev/null; cat /tmp/k.pem /tmp/c.pem > /tmp/own.pem",
    )
    assert made.ok
    assert cluster.run("mysql2", f"{curl} --cert /tmp/own.pem {port}; true").stdout == "000"
    cluster.run("mysql2", "rm -f /tmp/k.pem /tmp/c.pem /tmp/own.pem")
    # Of the same CA, and of no node that has anything to ask mysql1.
    assert cluster.run("mysql1", f"{curl} --cert /etc/lab/mysql.pem {port}; true").stdout == "000"


@pytest.mark.read_only
def test_the_status_port_gives_a_code_and_four_figures(cluster: LabCluster) -> None:
    for (method, path), got in _answers(cluster, f"http://mysql1:{STATUS}").items():
        if method == "GET" and path in PUBLIC:
            assert set(re.findall(r'"(\w+)":', got)) == PUBLIC[path], got
        else:
            assert got[-3:] in ("000", "400", "404", "405", "501"), f"{method} {path}: {got}"
            assert "position" not in got


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "405"),
        (b"GET /role HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"),
        (b"GET /role HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "413"),
        (b"GET /role HTTP/1.1\r\nContent-Length: 1\r\n\r\n", "413"),
        (b"GET /role HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "411"),
        (b"GET /role HTTP/1.1\r\n\r\n", "200"),
    ],
)
@pytest.mark.read_only
def test_a_body_is_bounded_before_it_is_read(cluster: LabCluster, sent: bytes, code: str) -> None:
    said = cluster.backend.run("client", ["python3", "-c", RAW, "mysql1", repr(sent), "once"], seconds=30)
    assert said.stdout.split()[1] == code, said


@pytest.mark.read_only
def test_a_question_that_comes_a_byte_at_a_time_is_not_waited_for(cluster: LabCluster) -> None:
    slow = repr(b"GET /role HTTP/1.1\r\nX: ")
    said = cluster.backend.run("client", ["python3", "-c", RAW, "mysql1", slow, "slow"], seconds=30)
    assert int(said.stdout.split()[-1]) <= 8, said


@pytest.mark.read_only
def test_an_endless_body_costs_no_memory(cluster: LabCluster) -> None:
    size = "awk '/VmRSS/ {print $2}' /proc/$(pgrep -f lab_node.keeper | head -1)/status"
    before = int(cluster.run("mysql1", size).stdout)
    limit = cluster.clock.option(10)
    curl = f"curl -sk --max-time {limit} -H 'Content-Length: -1' -H 'Expect:' -T - -X POST"
    cluster.run("client", f"head -c 200M /dev/zero | {curl} http://mysql1:{STATUS}/x; true", seconds=30)
    assert int(cluster.run("mysql1", size).stdout) < before + 20_000
