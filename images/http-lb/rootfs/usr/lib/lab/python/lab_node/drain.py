"""Drains this HTTP balancer before HAProxy stops, without a failed request.

First /ready answers 404: the TCP balancers send no new connections and keep the existing ones. Then the frontend is
shut down: each answer closes its connection. Last, the requests in progress are finished.
"""

from __future__ import annotations

import csv
import json
import socket
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN = Path("/etc/lab/drain.json")
ADMIN = "/run/haproxy/admin.sock"
STATUS_PORT = 8404
ASKING_SECONDS = 0.2
FINISHING_SECONDS = 10  # as HAProxy's own hard-stop-after


def say(command: str) -> str:
    """One command for HAProxy; its answer."""
    with socket.socket(socket.AF_UNIX) as admin:
        admin.settimeout(1)
        admin.connect(ADMIN)
        admin.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: admin.recv(65536), b"")).decode()


def leads_here(balancer: str, name: str) -> bool:
    """Whether a TCP balancer may still send new connections; false if it does not answer."""
    try:
        with urllib.request.urlopen(
            f"http://{balancer}:{STATUS_PORT}/metrics?scope=server", timeout=ASKING_SECONDS
        ) as response:
            return any(
                line.endswith(f'server="{name}",state="UP"}} 1') for line in response.read().decode().splitlines()
            )
    except OSError:
        return False


def answering() -> int:
    """The number of requests in progress, of all pools."""
    rows = csv.DictReader(say("show stat").lstrip("# ").splitlines())
    return sum(int(row["scur"]) for row in rows if row["svname"] == "BACKEND" and row["pxname"] != "staying")


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Polls until the condition holds or the time is over."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def main() -> None:
    """Drains; returns at once if HAProxy has already ended."""
    plan = json.loads(PLAN.read_text(encoding="utf-8"))
    try:
        say("disable server staying/here")
    except OSError as error:
        print(f"HAProxy does not answer on {ADMIN} ({error}): nothing to drain", flush=True)
        return
    until(
        lambda: not any(leads_here(balancer, plan["name"]) for balancer in plan["balancers"]),
        plan["seconds"],
    )
    say("shutdown frontend site")
    until(lambda: answering() == 0, FINISHING_SECONDS)


if __name__ == "__main__":
    main()
