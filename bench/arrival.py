"""Run on the client: sends messages one by one, and prints how many ms after its 250 each could be read by IMAP."""

from __future__ import annotations

import imaplib
import json
import smtplib
import ssl
import sys
import time
from pathlib import Path

PAUSE_SECONDS = 0.005


def main(host: str, address: str, count: int) -> None:
    """One connection to read by, one for each message."""
    trusted = ssl.create_default_context(cafile="/etc/lab/ca.crt")
    password = Path("/etc/lab/passwords/mail").read_text(encoding="utf-8").strip()
    reader = imaplib.IMAP4_SSL(host, 993, ssl_context=trusted)
    reader.login(address, password)
    taken = []
    for _ in range(count):
        before = int(reader.select("INBOX")[1][0] or b"0")
        with smtplib.SMTP(host, 587, timeout=20) as door:
            door.starttls(context=trusted)
            door.login(address, password)
            door.sendmail(address, [address], f"From: {address}\nTo: {address}\nSubject: arrival\n\nHello.\n")
            begun = time.perf_counter()
            while int(reader.select("INBOX")[1][0] or b"0") == before:
                time.sleep(PAUSE_SECONDS)
            taken.append(1000 * (time.perf_counter() - begun))
    print(json.dumps(taken))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
