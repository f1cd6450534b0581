"""Run in a node: sends requests that are wrong in every way, from a seed, and says what became of them.

`python3 fuzz.py '{"seed": 1, "count": 100, "address": "...", "port": 443, "server": "...", "ca": "...", "own": "...",
"paths": ["/"], "methods": ["GET"], "patience": 15, "at_once": 1}'`; `ca` and `own` (the client's certificate) may be
empty. What is sent is the same, however many are sent at once.
"""

from __future__ import annotations

import json
import random
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

VERSIONS = ["1.1", "1.1", "1.0", "9.9", ""]
JUNK = [
    "\x00",
    "\xff\xfe",
    "\r\n",
    "%00",
    "../",
    "{{7*7}}",
    "<script>",
    "' OR 1=1 --",
    "\U0001d518",
    "\u202e",
    "A" * 5000,
    "-1",
    "1e999",
]


def _value(chance: random.Random) -> str:
    return "".join(chance.choice(JUNK) for _ in range(chance.randrange(1, 5)))


def _body(chance: random.Random) -> tuple[str, bytes]:
    """The type and content of a body."""
    kind = chance.choice(["form", "multipart", "json", "bytes"])
    names = ["author", "message", "upload", "message[]", "message[a][b]", "id", _value(chance)]
    if kind == "form":
        return "application/x-www-form-urlencoded", "&".join(
            f"{chance.choice(names)}={_value(chance)}" for _ in range(9)
        ).encode()
    if kind == "multipart":
        border = chance.choice(["x", "x" * 300, '"', ""])
        parts = [
            f'--{border}\r\nContent-Disposition: form-data; name="{chance.choice(names)}"'
            f"{chance.choice(['', f'; filename={chr(34)}{_value(chance)}{chr(34)}'])}\r\n\r\n{_value(chance)}\r\n"
            for _ in range(chance.randrange(1, 30))
        ]
        return f"multipart/form-data; boundary={border}", "".join(
            [*parts, chance.choice([f"--{border}--\r\n", ""])]
        ).encode()
    if kind == "json":
        return "application/json", (
            chance.choice(["[" * 3000, '{"a":' * 900, json.dumps({name: _value(chance) for name in names})])
        ).encode()
    return _value(chance).replace("\r\n", " "), chance.randbytes(chance.randrange(1, 4000))


def request(chance: random.Random, server: str, paths: list[str], methods: list[str]) -> bytes:
    """Mostly a request, with something wrong; sometimes nothing of the kind."""
    if chance.random() < 0.1:
        return chance.randbytes(chance.randrange(1, 2000))
    kind, body = _body(chance)
    length = chance.choice([len(body), len(body), len(body), 0, len(body) + 100, 10**12, "x", -1])
    path = chance.choice(paths) + chance.choice(["", "", f"?{_value(chance)}", "/" * 3000, "%", "?a[]=" * 300])
    lines = [
        f"{chance.choice([*methods, 'BREW', _value(chance)])} {path} HTTP/{chance.choice(VERSIONS)}",
        f"Host: {chance.choice([server, server, server, '', _value(chance)])}",
        f"Content-Type: {kind}",
        f"Content-Length: {length}",
        *(f"X-{number}: {_value(chance)}" for number in range(chance.choice([0, 0, 1, 300]))),
        "Connection: close",
    ]
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body


def _answer(told: dict[str, Any], secure: ssl.SSLContext | None, sent: bytes) -> str:
    """The status; `silence`: the connection ended without one; `waiting`: nothing came."""
    try:
        door = socket.create_connection((told["address"], told["port"]), told["patience"])
        door = secure.wrap_socket(door) if secure else door
        with door:
            door.sendall(sent)
            if not secure:  # a body that is shorter than was said has ended: nobody waits for more
                door.shutdown(socket.SHUT_WR)
            head = door.recv(64).split()
            return head[1].decode("latin-1") if len(head) > 1 and head[0].startswith(b"HTTP/") else "silence"
    except socket.timeout:  # noqa: UP041  nodes may have Python 3.9
        return "waiting"
    except OSError:
        return "silence"


def main(told: dict[str, Any]) -> dict[str, int]:
    """How often each status came."""
    found: dict[str, int] = {}
    chance = random.Random(told["seed"])
    secure = None
    if told["ca"]:
        secure = ssl.create_default_context(cafile=told["ca"])
        secure.check_hostname = False
        if told["own"]:
            secure.load_cert_chain(told["own"])
    made = [request(chance, told["server"], told["paths"], told["methods"]) for _ in range(told["count"])]
    with ThreadPoolExecutor(told["at_once"]) as pool:
        for said in pool.map(partial(_answer, told, secure), made):
            found[said] = found.get(said, 0) + 1
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
