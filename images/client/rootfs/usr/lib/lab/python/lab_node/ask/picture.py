"""Pictures that are uploaded: small, and each one of its kind."""

from __future__ import annotations

import zlib


def picture(seed: str, number: int) -> bytes:
    """A PNG of one pixel, with a text in it that makes it one of its kind."""
    head = b"\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00"
    text = f"Comment\0{seed} {number}".encode("latin-1", "replace")
    pixel = zlib.compress(b"\0\0")
    chunks = ((b"IHDR", head), (b"tEXt", text), (b"IDAT", pixel), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
