"""Run by whoever is tried: what each door says first, within some seconds.

The doors are `sys.argv[1]` (JSON: [[address, port, kinds]]), the seconds `sys.argv[2]`.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor

ASKED = b"GET / HTTP/1.0\r\n\r\n"
KINDS = ("greeting", "plain", "tls")


def first_line(door: socket.socket) -> str:
    """What is heard, up to the first line's end; what is no text is left out."""
    said = door.recv(1000)
    return "".join(chr(each) for each in said.split(b"\r\n")[0] if 32 <= each < 127)


def knock(address: str, port: int, kind: str, patience: float) -> str:
    """The first line; empty when nothing was said, or it was closed or refused."""
    try:
        with socket.create_connection((address, port), patience) as door:
            if kind == "tls":
                wanted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                wanted.check_hostname, wanted.verify_mode = False, ssl.CERT_NONE
                with wanted.wrap_socket(door) as inner:
                    inner.sendall(ASKED)
                    return first_line(inner)
            if kind == "plain":
                door.sendall(ASKED)
            return first_line(door)
    except OSError:
        return ""


def main(doors: list[tuple[str, int, list[str]]], patience: float) -> dict[str, dict[str, str]]:
    """By address and port, what each kind of knocking got; `patience`: seconds until the first word."""
    tried = [(address, port, kind) for address, port, kinds in doors for kind in kinds]
    with ThreadPoolExecutor(30) as all_:
        heard = list(all_.map(lambda one: knock(one[0], one[1], one[2], patience), tried))
    found: dict[str, dict[str, str]] = {}
    for (address, port, kind), said in zip(tried, heard):  # noqa: B905  nodes may have Python 3.9
        found.setdefault(f"{address} {port}", {})[kind] = said
    return found


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]), float(sys.argv[2]))))
