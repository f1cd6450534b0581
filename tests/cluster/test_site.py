"""The site as its visitors see it: TLS, HTTP/2, redirect, real client addresses, the guest book."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.markers import WEB

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence.outcomes import CheckOutcome
    from lab.testing import LabCluster

# The smallest PNG there is: one transparent pixel.
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)

pytestmark = [pytest.mark.read_only, pytest.mark.smaller("the web tier is all it needs", topology=WEB)]


@pytest.fixture
def balanced(cluster: LabCluster) -> LabCluster:
    """A cluster with an HTTP balancer: TLS ends there."""
    cluster.require("http-lb", 1)
    return cluster


@pytest.mark.parametrize(("version", "served"), [("1.1", False), ("1.2", True), ("1.3", True)])
def test_tls_versions(balanced: LabCluster, version: str, *, served: bool) -> None:
    flag = f"-tls{version.replace('.', '_')}"
    said = balanced.run(
        "client", f"echo | openssl s_client {flag} -cipher 'ALL:@SECLEVEL=0' -connect {balanced.host}:443 2>&1"
    )
    assert ("Cipher is (NONE)" not in said.stdout and "BEGIN CERTIFICATE" in said.stdout) is served, said.stdout


def test_the_certificate_is_the_clusters_own(balanced: LabCluster) -> None:
    assert balanced.ask("/healthz") == "ok\n"
    stranger = balanced.run("client", f"curl -sS https://{balanced.host}/healthz")
    assert stranger.rc == 60, "curl's code for a certificate that nobody it knows has signed"


def test_http2_is_spoken_and_http1_too(balanced: LabCluster) -> None:
    version = ("-o", "/dev/null", "-w", "%{http_version}")
    assert balanced.ask("/healthz", *version) == "2"
    assert balanced.ask("/healthz", "--http1.1", *version) == "1.1"


def test_plain_http_is_redirected(balanced: LabCluster, check: Callable[..., CheckOutcome]) -> None:
    location = rf"\A{re.escape(f'https://{balanced.host}/x?y=1')}\Z"
    answer = check("page", url=f"http://{balanced.host}/x?y=1", status=301, headers={"location": location})
    assert answer.green, answer


def test_a_redirect_stays_on_the_published_ports(balanced: LabCluster) -> None:
    published = {entry.name: entry.host_port for entry in balanced.plan.node("client").publish}
    host = f"Host: localhost:{published['site-http']}"
    said = balanced.ask("/", "-H", host, "-o", "/dev/null", "-w", "%{redirect_url}", scheme="http")
    assert said == f"https://localhost:{published['site']}/"


def test_the_clients_address_reaches_the_application_and_the_logs(balanced: LabCluster) -> None:
    client = balanced.plan.node("client").address
    said = json.loads(balanced.ask("/whoami?address-test", "-H", "X-Forwarded-For: 6.6.6.6"))
    assert said["client"] == client, "what a client claims about itself is not believed"
    assert said["scheme"] == "https"
    balanced.until(
        "the request in the web node's log",
        5,
        lambda: any(f"httpd | {client} " in line and "address-test" in line for line in balanced.logs(said["node"])),
    )
    balancers = [node.name for node in balanced.plan.role("http-lb")]
    balanced.until(
        "the request in a balancer's log",
        5,
        lambda: any(
            f"haproxy | {client}" in line and "address-test" in line
            for name in balancers
            for line in balanced.logs(name)
        ),
    )


def test_the_guest_book_keeps_a_post_and_a_picture(cluster: LabCluster) -> None:
    """On the node that took it: the cluster has no shared storage yet."""
    cluster.backend.put(
        "client", {"/var/tmp/pixel.png": (PIXEL, 0o644), "/var/tmp/evil.php": (b"<?php echo 6*7;", 0o644)}
    )
    posted = json.loads(
        cluster.ask(
            "/api/posts",
            "--form-string",
            "author=Ann & Co",
            "--form-string",
            "message=<b>hello</b>",
            "-F",
            "upload=@/var/tmp/pixel.png;filename=x.php",
        )
    )
    node = f"http://{posted['node']}"
    page = cluster.run("client", f"curl -sS {node}/").stdout
    assert "&lt;b&gt;hello&lt;/b&gt;" in page
    assert "Ann &amp; Co" in page
    (post,) = [
        post
        for post in json.loads(cluster.run("client", f"curl -sS {node}/api/posts").stdout)["posts"]
        if post["id"] == posted["id"]
    ]
    assert post["upload"].endswith(".png")
    kind = cluster.run(
        "client", f"curl -sS -o /dev/null -w '%{{content_type}} %{{size_download}}' {node}/uploads/{post['upload']}"
    )
    assert kind.stdout == f"image/png {len(PIXEL)}"
    refused = cluster.ask("/api/posts", "-F", "message=x", "-F", "upload=@/var/tmp/evil.php", "-w", "%{http_code}")
    assert "PNG" in refused
    assert refused.endswith("400")


@pytest.mark.usefixtures("balanced")
@pytest.mark.parametrize(("path", "status"), [("stats", 401), ("metrics", 200)])
def test_statistics_ask_for_a_password_and_metrics_do_not(
    check: Callable[..., CheckOutcome], path: str, status: int
) -> None:
    answer = check("page", url=f"http://http-lb1:8404/{path}", status=status)
    assert answer.green, answer
