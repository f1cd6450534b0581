"""What visitors send and what they are told: uploads that pause or are too large, foreign names, other sites' forms."""

from __future__ import annotations

import json
import re
import shlex
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from lab.topology import Web
from tests.cluster.pools import alone
from tests.markers import WEB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.testing import LabCluster
pytestmark = pytest.mark.smaller("the web tier is all it needs", topology=WEB)

PICTURE_KB, PAUSE, LATE = 270, 8, 12
MEBI = 1 << 20
BUFFERED = 40  # MiB that lie on the way when it is refused: 18 were seen on a busy machine
STATUS = ("-o", "/dev/null", "-w", "%{http_code}")

# A picture of some hundred KB in a form, sent in parts with pauses between: by curl from a pipe, so that curl's own
# HTTP/1.1 (chunked, or with a length) and HTTP/2 are what is spoken.
SENDER = """
import sys, time
pauses, length = [float(p) for p in sys.argv[2].split(",")], sys.argv[1]
body = open(length, "rb").read()
step = len(body) // (len(pauses) + 1)
out = sys.stdout.buffer
for n, pause in enumerate([*pauses, 0]):
    out.write(body[n * step : (n + 1) * step if n < len(pauses) else None])
    out.flush()
    time.sleep(pause)
"""


def png(width: int, height: int, filling: int = 0) -> bytes:
    """A PNG that says that it is so large; `filling` bytes of a text chunk make the file itself larger."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(b"\0" + b"\0" * 3))
    text = chunk(b"tEXt", b"x\0" + b"y" * filling) if filling else b""
    return b"\x89PNG\r\n\x1a\n" + head + text + rows + chunk(b"IEND", b"")


def form(picture: bytes) -> bytes:
    """A form with a message and a picture; its boundary is `b`."""
    parts = b'--b\r\nContent-Disposition: form-data; name="message"\r\n\r\nslow\r\n'
    parts += (
        b'--b\r\nContent-Disposition: form-data; name="upload"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
    )
    return parts + picture + b"\r\n--b--\r\n"


@pytest.fixture
def balanced(cluster: LabCluster) -> LabCluster:
    cluster.require("http-lb", 1)
    body = form(png(3, 1, PICTURE_KB * 1024))
    cluster.backend.put("client", {"/var/tmp/form": (body, 0o644), "/var/tmp/sender.py": (SENDER.encode(), 0o644)})
    return cluster


def _sent(cluster: LabCluster, pauses: Sequence[float], *options: str) -> str:
    """The status of an upload that pauses so often and so long, in seconds."""
    said = " ".join(map(shlex.quote, options))
    made = (
        f"python3 /var/tmp/sender.py /var/tmp/form {','.join(map(str, pauses))} | "
        f"curl -sS --max-time {cluster.clock.option(120)} -T - -X POST "
        f"-H 'Content-Type: multipart/form-data; boundary=b' -H 'Expect:' --cacert /etc/lab/ca.crt "
        f"-w '\\n%{{http_version}} %{{http_code}}' {said} https://{cluster.host}/api/posts"
    )
    return cluster.run("client", made, seconds=130).stdout.splitlines()[-1]


PAUSES: dict[str, tuple[float, ...]] = {"once": (PAUSE,), "often": (2, 2, 2, 2), "late": (LATE, 0.1)}
WAYS = {
    "HTTP/1.1, chunked": ("1.1", ("--http1.1",)),
    "HTTP/1.1 with a length": ("1.1", ("--http1.1", "-H", "Transfer-Encoding:", "-H", "Content-Length: {length}")),
    "HTTP/2": ("2", ("--http2",)),
    "HTTP/2 with a length": ("2", ("--http2", "-H", "Content-Length: {length}")),
}


@pytest.mark.read_only
def test_an_upload_may_pause(balanced: LabCluster) -> None:
    """Once, often, and late, in each way of sending: all of them at the same time, as most of it is pauses."""
    length = str(len(form(png(3, 1, PICTURE_KB * 1024))))
    with ThreadPoolExecutor(len(WAYS) * len(PAUSES)) as pool:
        sent = {
            (name, when): pool.submit(_sent, balanced, pauses, *(option.format(length=length) for option in options))
            for name, (_, options) in WAYS.items()
            for when, pauses in PAUSES.items()
        }
    assert {one: each.result() for one, each in sent.items()} == {
        (name, when): f"{version} 201" for name, (version, _) in WAYS.items() for when in PAUSES
    }


@pytest.mark.nightly("twelve seconds; at every change uploads that stop before their end")
def test_uploads_that_pause_take_no_visitor_his_place(balanced: LabCluster) -> None:
    """More of them than PHP has processes, on one web node."""
    web = balanced.options(Web)
    with alone(balanced, "web1"), ThreadPoolExecutor(web.php_children + 4) as pool:
        sent = [pool.submit(_sent, balanced, (PAUSE,)) for _ in range(web.php_children + 4)]
        looks = 0
        while not all(each.done() for each in sent):
            assert json.loads(balanced.ask("/whoami", "--max-time", balanced.clock.option(4)))["node"] == "web1"
            looks += 1
        assert looks > 5
        assert {each.result() for each in sent} == {"2 201"}


STOPPED, STOPPED_BYTES = 30, 8_900_000  # 255 MiB, of which a node has 256 in /tmp
STOPS = """
import socket, ssl, sys
host, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
context = ssl.create_default_context(cafile="/etc/lab/ca.crt")
head = f"POST /api/posts HTTP/1.1\\r\\nHost: {host}\\r\\nContent-Type: multipart/form-data; boundary=b\\r\\n"
held = []
for _ in range(count):
    made = context.wrap_socket(socket.create_connection((host, 443), 20), server_hostname=host)
    made.sendall(f"{head}Content-Length: {size + 1}\\r\\n\\r\\n".encode() + bytes(size))
    held.append(made)
print("here", flush=True)
sys.stdin.read()
"""


def test_uploads_that_stop_before_their_end_leave_the_others_room(balanced: LabCluster) -> None:
    """On one web node, more than its memory for temporary files takes."""
    balanced.backend.put("client", {"/root/stops.py": (STOPS.encode(), 0o644)})
    stops = f"rm -f /run/go; mkfifo /run/go; exec python3 /root/stops.py {balanced.host} {STOPPED} {STOPPED_BYTES}"
    with alone(balanced, "web1"), ThreadPoolExecutor(1) as pool:
        sent = pool.submit(balanced.run, "client", f"{stops} > /run/stops <> /run/go", seconds=90)
        try:
            balanced.until("all but their last bytes", 60, lambda: balanced.run("client", "test -s /run/stops").ok)
            chunked = ("-H", "Transfer-Encoding: chunked", "-F", "message=y", "-F", "upload=@/var/tmp/good.png")
            balanced.backend.put("client", {"/var/tmp/good.png": (png(3, 1, 7 << 20), 0o644)})
            for options in (chunked, chunked[2:]):
                assert balanced.ask("/api/posts", *options, "--http1.1", *STATUS) == "201"
            assert not sent.done(), sent.result()
        finally:
            balanced.run("client", "pkill -xf 'python3 /root/stops.py .*'")


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
@pytest.mark.parametrize("told", [True, False], ids=["length", "chunked"])
@pytest.mark.parametrize("mebi", [9, 30, 300])
@pytest.mark.read_only
def test_too_large_is_refused_early_and_named(balanced: LabCluster, mebi: int, version: str, *, told: bool) -> None:
    most = balanced.options(Web).upload
    how = "-T /var/tmp/large -H 'Transfer-Encoding:'" if told else "-T - < /var/tmp/large"
    limit = balanced.clock.option(60)
    asked = f"curl -sS {version} --max-time {limit} -X POST -H 'Content-Type: multipart/form-data; boundary=b' {how}"
    url = f"--cacert /etc/lab/ca.crt https://{balanced.host}/api/posts"
    answer = "-o /var/tmp/answer -w '%{http_code} %{size_upload} %{content_type}'"
    command = f"truncate -s {mebi * MEBI + 4096} /var/tmp/large; {asked} {answer} {url}; echo; cat /var/tmp/answer"
    done = balanced.run("client", command, seconds=90)
    said = done.stdout.splitlines()
    assert len(said) == 2, done
    status, sent, kind = said[0].split()
    assert (status, kind) == ("413", "application/json"), said
    assert f"at most {most} MiB" in json.loads(said[1])["error"]
    assert int(sent) < (most + BUFFERED) * MEBI, "it was read to its end"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (["--form-string", "author[]=x", "--form-string", "message=y"], 400),
        (["--form-string", "message[a]=y"], 400),
        (["--data-urlencode", "message=ok", "--data", "author=%ff%fe"], 400),
        (["--data", "message=%c3%28"], 400),
        (["-F", "message=y", "-F", "upload[]=@/var/tmp/form"], 400),
        (["-F", "message=y", "-F", "upload=@/var/tmp/vast.png"], 400),
        (["-F", "message=y", "-F", "upload=@/var/tmp/flat.png"], 400),
        (["-F", "message=y", "-F", "upload=@/var/tmp/good.png"], 201),
        (["--form-string", "message=größe ✓"], 201),
    ],
)
@pytest.mark.read_only
def test_what_can_not_be_kept_is_refused_as_the_visitors_mistake(
    balanced: LabCluster, fields: list[str], status: int
) -> None:
    pictures = {"vast": png(60000, 60000), "flat": png(0, 5), "good": png(3, 1)}
    balanced.backend.put("client", {f"/var/tmp/{name}.png": (data, 0o644) for name, data in pictures.items()})
    assert balanced.ask("/api/posts", *fields, *STATUS) == str(status)


@pytest.mark.parametrize("query", ["author[]=x", "author=%ff"])
@pytest.mark.read_only
def test_a_bad_question_is_the_askers_mistake(balanced: LabCluster, query: str) -> None:
    assert balanced.ask(f"/api/posts?{query}", "--globoff", *STATUS) == "400"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 303),
        ({"Origin": "https://{site}"}, 303),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://{site}"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "https://{site}.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://{site}"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/posts"])
@pytest.mark.read_only
def test_a_form_of_another_site_is_refused(
    balanced: LabCluster, path: str, headers: dict[str, str], status: int
) -> None:
    said = [part for name, value in headers.items() for part in ("-H", f"{name}: {value.format(site=balanced.host)}")]
    wanted = 201 if status == 303 and path != "/" else status
    assert balanced.ask(path, *said, "--form-string", "message=x", *STATUS) == str(wanted)


FOREIGN = ["evil.example", "{site}.evil.example", "evil.example:8080", "localhost.evil", "[::1]"]
COPIED = ["{site}:x@evil.example", "evil.example,{site}", "{site}:80/@evil.example"]  # a known name is a part of it


@pytest.mark.parametrize("host", [*FOREIGN, *COPIED])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.read_only
def test_a_foreign_name_is_no_name_of_this_site(balanced: LabCluster, scheme: str, host: str) -> None:
    name = host.format(site=balanced.host)
    for path in ("/", "/x", "/~ann"):
        said = balanced.ask(
            path, "-H", f"Host: {name}", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", scheme=scheme
        )
        assert said.split() == ["421"], path


@pytest.mark.read_only
def test_its_own_names_are_answered(balanced: LabCluster) -> None:
    balancer = balanced.plan.role("http-lb")[0]
    for host in (balanced.host, balanced.host.upper(), "localhost", "localhost:8443", "127.0.0.1:9", balancer.address):
        assert balanced.ask("/healthz", "-H", f"Host: {host}", *STATUS) == "200", host


@pytest.mark.read_only
def test_every_page_says_what_browsers_may_do_with_it(balanced: LabCluster) -> None:
    for path in ("/", "/whoami", "/nothing-here", "/healthz", "/uploads/none"):
        said = balanced.ask(path, "-D", "-", "-o", "/dev/null").lower()
        assert re.findall(r"^content-security-policy: (.*)\r?$", said, re.MULTILINE), path
        assert said.count("content-security-policy:") == 1, path
        assert "frame-ancestors 'none'" in said, path
        assert "default-src 'none'" in said, path
        assert said.count("x-content-type-options: nosniff") == 1, path
        assert "referrer-policy: same-origin" in said, path
        assert "strict-transport-security: max-age=" in said, path
    page = balanced.ask("/")
    assert "<style" not in page, "its own policy would refuse that"
    assert "<script" not in page
    assert "text/css" in balanced.ask("/style.css", "-o", "/dev/null", "-w", "%{content_type}")
    local = balanced.ask("/", "-H", "Host: localhost:8443", "-D", "-", "-o", "/dev/null").lower()
    assert "strict-transport-security" not in local, "other things of this machine are called localhost too"


@pytest.mark.parametrize(
    "path", ["/.htaccess", "/.htpasswd", "/.git/config", "/uploads/.ht", "/uploads/.draft", "/%2ehtaccess", "/a/.env"]
)
@pytest.mark.read_only
def test_what_begins_with_a_dot_is_refused(balanced: LabCluster, path: str) -> None:
    assert balanced.ask(path, *STATUS) == "403"


@pytest.mark.read_only
def test_a_neighbour_does_not_say_how_the_visitor_came(balanced: LabCluster) -> None:
    web = balanced.require("web", 1)[0]
    said = balanced.run(
        "client", f"curl -fsS -H 'X-Forwarded-Proto: https' -H 'X-Forwarded-For: 6.6.6.6' http://{web}/whoami"
    )
    assert json.loads(said.stdout)["scheme"] == "http"
    assert json.loads(said.stdout)["client"] == balanced.plan.node("client").address
    assert json.loads(balanced.ask("/whoami", "-H", "X-Forwarded-Proto: ftp"))["scheme"] == "https"


@pytest.mark.parametrize("path", ["/metrics", "/servers", "/pool", "/node", "/generation", "/ready", "/stats", "/"])
@pytest.mark.read_only
def test_the_published_statistics_say_nothing_without_the_password(balanced: LabCluster, path: str) -> None:
    published = next(entry for entry in balanced.plan.node("client").publish if entry.name == "stats")
    asked = balanced.run("client", f"curl -s -o /dev/null -w '%{{http_code}}' http://127.0.0.1:{published.port}{path}")
    assert asked.stdout == "401"
