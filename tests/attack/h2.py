"""Run in a node: requests by HTTP/2 whose frames are written by hand, each on a connection of its own.

`python3 h2.py '[ADDRESS, PORT, SECONDS, {NAME: {"headers": [[NAME, VALUE], ...], "data": TEXT}, ...}]'` prints the
answers as text, by name.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4
NAMES = {RST_STREAM: "RST_STREAM", GOAWAY: "GOAWAY"}
LARGEST = 127  # octets of a length that fits the first octet (RFC 7541, 5.1)


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    """A frame (RFC 9113, 4.1)."""
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


def _text(value: str) -> bytes:
    """A string without Huffman's code (RFC 7541, 5.2)."""
    octets = value.encode("latin-1")
    if len(octets) < LARGEST:
        return bytes([len(octets)]) + octets
    rest, length = len(octets) - LARGEST, bytes([LARGEST])
    while rest > LARGEST:
        length, rest = length + bytes([rest % 128 + 128]), rest // 128
    return length + bytes([rest]) + octets


def request(headers: list[list[str]], data: str) -> bytes:
    """A request on stream 1: each header as a literal that is not indexed (RFC 7541, 6.2.2)."""
    block = b"".join(b"\x00" + _text(name) + _text(value) for name, value in headers)
    parts = [frame(HEADERS, END_HEADERS | (0 if data else END_STREAM), 1, block)]
    if data:
        parts.append(frame(DATA, END_STREAM, 1, data.encode("latin-1")))
    return b"".join(parts)


def named(octets: bytes) -> str:
    """What came: the names of frames that refuse, and the content of the others."""
    said = []
    while len(octets) >= 9:
        length, kind = int.from_bytes(octets[:3], "big"), octets[3]
        said.append(NAMES.get(kind, octets[9 : 9 + length].decode("latin-1")))
        octets = octets[9 + length :]
    return "\n".join(said)


def main(address: str, port: int, seconds: float, asked: dict[str, Any]) -> dict[str, str]:
    """By name, what came back within `seconds` of the last octet."""
    trusted = ssl.create_default_context(cafile="/etc/lab/ca.crt")
    trusted.set_alpn_protocols(["h2"])

    def heard(one: dict[str, Any]) -> str:
        octets = b""
        try:
            door = socket.create_connection((address, port), 2 * seconds)
            with door, trusted.wrap_socket(door, server_hostname=address) as inner:
                if inner.selected_alpn_protocol() != "h2":
                    return "no HTTP/2"
                inner.settimeout(seconds)
                inner.sendall(PREFACE + frame(SETTINGS, 0, 0) + request(one["headers"], one["data"]))
                while part := inner.recv(65536):
                    octets += part
        except OSError:
            pass  # it says no more
        return named(octets)

    with ThreadPoolExecutor(len(asked)) as pool:
        return dict(zip(asked, pool.map(heard, asked.values())))  # noqa: B905  nodes may have Python 3.9


if __name__ == "__main__":
    print(json.dumps(main(*json.loads(sys.argv[1]))))
