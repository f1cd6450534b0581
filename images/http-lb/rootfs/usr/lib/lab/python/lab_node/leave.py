"""Takes this HTTP balancer out of service so that no visitor notices.

/ready answers 404, by which the TCP balancers lead nobody new here and leave alone who is here already; then the site's
door is closed, by which each answer says that it is the connection's last; at last what is being answered is finished.
HAProxy may then end.
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

PLAN = Path("/etc/lab/leaving.json")
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
    """Whether a TCP balancer may still bring somebody new; one that doesn't answer brings nobody, or can't be asked."""
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
    """How many questions are with the nodes behind, of whatever pool."""
    rows = csv.DictReader(say("show stat").lstrip("# ").splitlines())
    return sum(int(row["scur"]) for row in rows if row["svname"] == "BACKEND" and row["pxname"] != "staying")


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Asks until it is so, or the time is over: a node that is to end ends."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def main() -> None:
    """Leaves; at once where HAProxy has ended already."""
    document = json.loads(PLAN.read_text(encoding="utf-8"))
    try:
        say("disable server staying/here")
    except OSError as error:
        print(f"HAProxy does not answer on {ADMIN} ({error}): there is nobody to take leave of", flush=True)
        return
    until(
        lambda: not any(leads_here(balancer, document["name"]) for balancer in document["balancers"]),
        document["seconds"],
    )
    say("shutdown frontend site")
    until(lambda: answering() == 0, FINISHING_SECONDS)


if __name__ == "__main__":
    main()
