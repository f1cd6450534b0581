"""A mail program on the client: `mail_client.py` puts it there and runs it with one JSON argument; prints JSON."""

from __future__ import annotations

import base64
import contextlib
import imaplib
import json
import re
import smtplib
import socket
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TRUSTED = ssl.create_default_context(cafile="/etc/lab/ca.crt")
SUBMISSIONS, IMAPS, SIEVE, DONE, REFUSED = 465, 993, 4190, 250, 400
AT_ONCE = 4


def send(host: str, port: int, **told: Any) -> dict[str, Any]:
    """One message; the code and text of the answer that decided."""
    wrapped = port == SUBMISSIONS
    made = (
        smtplib.SMTP_SSL(host, port, timeout=20, context=TRUSTED) if wrapped else smtplib.SMTP(host, port, timeout=20)
    )
    with made as door:
        try:
            if told.get("tls", True) and not wrapped:
                door.starttls(context=TRUSTED)
            if told.get("user"):
                door.login(told["user"], told["password"])
            door.ehlo_or_helo_if_needed()
            answers = _answers(door, told)
            code, text = next((one for one in answers if one[0] >= REFUSED), (DONE, b""))
            return {"code": code, "said": text.decode()}
        except smtplib.SMTPNotSupportedError as error:
            return {"code": 503, "said": str(error)}
        except smtplib.SMTPResponseException as error:
            return {"code": error.smtp_code, "said": str(error.smtp_error)}


def several(host: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Several messages, each by a connection of its own, and each one's code and text."""
    with ThreadPoolExecutor(AT_ONCE) as some:
        return {"done": list(some.map(lambda told: send(host, **told), messages))}


def _answers(door: smtplib.SMTP, told: dict[str, Any]) -> Iterator[tuple[int, bytes]]:
    message = told["message"].replace("\n", "\r\n") + "x" * told.get("more", 0)
    yield door.mail(told["sender"], [f"size={len(message)}"])
    for to in told["to"]:
        yield door.rcpt(to)
    yield door.data(message)


def read(host: str, port: int, user: str, password: str, **told: Any) -> dict[str, Any]:
    """All messages of a folder, the inbox unless said, and the node that gave them."""
    made = imaplib.IMAP4_SSL(host, port, ssl_context=TRUSTED) if port == IMAPS else imaplib.IMAP4(host, port)
    with made as door:
        node = door.welcome.decode().split()[-1]
        if told.get("tls", True) and port != IMAPS:
            door.starttls(TRUSTED)
        try:
            door.login(user, password)
        except imaplib.IMAP4.error as error:
            return {"node": node, "refused": str(error), "can": list(door.capabilities)}
        if door.select(told.get("folder", "INBOX"), readonly=True)[0] != "OK":
            return {"node": node, "messages": []}
        some = door.search(None, "ALL")[1][0].split()
        found = door.fetch("1:*", "(BODY.PEEK[])")[1] if some else []
        return {"node": node, "messages": [one[1].decode("latin-1") for one in found if isinstance(one, tuple)]}


def handle(host: str, user: str, password: str, commands: list[list[str]], folder: str = "INBOX") -> dict[str, Any]:
    """Does UID commands in a folder; returns its UIDVALIDITY, and each message's UID, flags, date and size as told."""
    with imaplib.IMAP4_SSL(host, IMAPS, ssl_context=TRUSTED) as door:
        door.login(user, password)
        if commands:
            door.create(folder)
        if door.select(folder)[0] != "OK":
            return {"validity": "", "messages": []}
        for words in commands:
            assert (door.append(folder, "", "", words[1].encode()) if words[0] == "APPEND" else door.uid(*words))[
                0
            ] == "OK", words
        validity = door.response("UIDVALIDITY")[1][0] or door.status(folder, "(UIDVALIDITY)")[1][0]
        found = door.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE)")[1]
        # A message's number and \\Recent are the session's.
        return {
            "validity": str(validity),
            "messages": sorted(re.sub(r"^\d+ |\\Recent ?", "", one.decode()) for one in found if one),
        }


def sift(host: str, user: str, password: str, script: str) -> dict[str, Any]:
    """Puts a Sieve script to work by ManageSieve (RFC 5804); what was refused, if anything was."""
    login = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
    commands = [
        f'AUTHENTICATE "PLAIN" "{login}"',
        f'PUTSCRIPT "own" {{{len(script.encode())}+}}\r\n{script}',
        'SETACTIVE "own"',
    ]
    with socket.create_connection((host, SIEVE), timeout=20) as plain:
        _sieved(plain)
        _sieved(plain, "STARTTLS")
        with TRUSTED.wrap_socket(plain, server_hostname=host) as door:
            _sieved(door)
            for command in commands:
                if not (said := _sieved(door, command)).startswith("OK"):
                    return {"refused": said}
    return {}


def _sieved(door: socket.socket, command: str = "") -> str:
    """How the server's answer to a command, or its greeting, ends: `OK`, or why not."""
    if command:
        door.sendall(f"{command}\r\n".encode())
    with door.makefile("rb") as lines:
        end = next((line for line in lines if line.startswith((b"OK", b"NO", b"BYE"))), b"")
        length = re.search(rb"\{(\d+)\}", end)
        return (end + (lines.read(int(length[1])) if length else b"")).decode()


def guess(host: str, user: str, times: int) -> dict[str, Any]:
    """Wrong passwords for an account, all at once and each by a connection of its own; how many were refused."""

    def one(number: int) -> bool:
        with imaplib.IMAP4_SSL(host, IMAPS, ssl_context=TRUSTED) as door:
            try:
                door.login(user, f"wrong {number}")
            except imaplib.IMAP4.error as error:
                return "AUTHENTICATIONFAILED" in str(error)
        return False

    with ThreadPoolExecutor(times) as all_:
        return {"refused": sum(all_.map(one, range(times)))}


def enter(host: str, user: str, password: str) -> dict[str, Any]:
    """Logs in, opens no folder, and leaves."""
    with imaplib.IMAP4_SSL(host, IMAPS, ssl_context=TRUSTED) as door:
        return {"said": door.login(user, password)[0]}


DONE_BY: dict[str, Callable[..., dict[str, Any]]] = {
    "send": send,
    "several": several,
    "read": read,
    "sift": sift,
    "handle": handle,
    "guess": guess,
    "enter": enter,
}

if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    try:
        done = DONE_BY[asked.pop("do")](**asked)
    except (OSError, imaplib.IMAP4.abort, smtplib.SMTPException) as caught:
        done = {"code": 0, "said": f"{type(caught).__name__}: {caught}"}
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(done))
