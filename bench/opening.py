"""Run on the client: opens the inbox by IMAP; prints how many messages it has and how many seconds that took."""

from __future__ import annotations

import imaplib
import json
import ssl
import sys
import time
from pathlib import Path


def main(host: str, address: str) -> None:
    """Once."""
    trusted = ssl.create_default_context(cafile="/etc/lab/ca.crt")
    password = Path("/etc/lab/passwords/mail").read_text(encoding="utf-8").strip()
    begun = time.perf_counter()
    reader = imaplib.IMAP4_SSL(host, 993, ssl_context=trusted, timeout=300)
    reader.login(address, password)
    messages = int(reader.select("INBOX")[1][0] or b"0")
    print(json.dumps({"messages": messages, "seconds": time.perf_counter() - begun}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
