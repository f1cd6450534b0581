"""Dialogs with an SMTP server, byte by byte as told; on the client, with one JSON argument, a list; prints JSON.

Each is {"host": HOST, "port": PORT, "proxy": "PROXY TCP4 ..." or "", "login": [user, password] or [], "steps": [TEXT,
...]}: each text is sent as it is, in Latin-1, once the one before is answered; all dialogs are held at once. Prints for
each the last lines of all answers: a list for the greeting, one for the login where there is one, and one for each
step; what comes unasked is with the last.
"""

from __future__ import annotations

import base64
import json
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

SECONDS = 20.0
LATER_SECONDS = 0.5  # an answer that nobody should give would come within this


def answers(door: socket.socket, seconds: float = SECONDS) -> list[str]:
    """The next answer, and those that come with it; none when the server closes or says nothing."""
    door.settimeout(seconds)
    heard = b""
    try:
        while more := door.recv(4096):
            heard += more
            if heard.endswith(b"\r\n") and heard.split(b"\r\n")[-2][3:4] == b" ":
                break
    except OSError:
        pass  # the server has closed, or has nothing to say
    return [line.decode("latin-1") for line in heard.split(b"\r\n") if line[3:4] == b" "]


def said(door: socket.socket, text: str) -> list[str]:
    """What the server answers to a text."""
    try:
        door.sendall(text.encode("latin-1"))
    except OSError:
        return []
    return answers(door)


def main(told: dict[str, Any]) -> list[list[str]]:
    """All answers, the greeting's first."""
    door = socket.create_connection((told["host"], told["port"]), timeout=SECONDS)
    if told.get("proxy"):
        door.sendall(told["proxy"].encode() + b"\r\n")
    heard = [answers(door)]
    if told.get("login"):
        for line in ("EHLO client\r\n", "STARTTLS\r\n"):
            said(door, line)
        door = ssl.create_default_context(cafile="/etc/lab/ca.crt").wrap_socket(door, server_hostname=told["host"])
        said(door, "EHLO client\r\n")
        plain = base64.b64encode("\0".join(["", *told["login"]]).encode()).decode()
        heard.append(said(door, f"AUTH PLAIN {plain}\r\n"))
    heard += [said(door, step) for step in told["steps"]]
    heard[-1] += answers(door, LATER_SECONDS)
    return heard


if __name__ == "__main__":
    dialogs = json.loads(sys.argv[1])
    with ThreadPoolExecutor(len(dialogs)) as pool:
        print(json.dumps(list(pool.map(main, dialogs))))
