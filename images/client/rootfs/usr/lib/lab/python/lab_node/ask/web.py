"""Questions by HTTP, and messages by SMTP, through libcurl; curl handles are used again and again."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pycurl

from ..database_url import PASSWORDS
from .picture import picture

VERSIONS = {"1.1": pycurl.CURL_HTTP_VERSION_1_1, "2": pycurl.CURL_HTTP_VERSION_2TLS}
LONGEST_VALUE = 400
IDLE_SECONDS = 10  # after which a kept connection is not used again
SERVED_BY = b"x-served-by:"


class Stream:
    """Questions of one kind."""

    def __init__(self, index: int, entry: dict[str, Any], timeout: float, ca: str) -> None:
        self.index, self.entry = index, entry
        self._count = 0
        self._timeout, self._ca = timeout, ca
        self._idle: list[Any] = []

    def question(self, due: float) -> Any:  # noqa: ANN401  pycurl has no types
        """The next question, ready to be sent."""
        curl = self._next(due)
        if self.entry.get("upload"):
            form = parse_qsl(self.entry["post"].replace("{n}", str(curl.number)))
            file = (pycurl.FORM_BUFFER, "picture.png", pycurl.FORM_BUFFERPTR, picture(self.entry["post"], curl.number))
            curl.setopt(pycurl.HTTPPOST, [*form, (self.entry["upload"], file)])
        elif self.entry.get("post"):
            curl.setopt(pycurl.COPYPOSTFIELDS, self.entry["post"].replace("{n}", str(curl.number)))
        return curl

    def again(self, curl: Any) -> bool:  # noqa: ANN401
        """Whether a question that met ended connections only is asked on a new one, as every browser does.

        libcurl does so itself, but takes a kept connection that the other side has ended for a living one, and gives up
        after five of them: after a balancer took its leave there may be dozens.
        """
        if self.entry.get("post") or curl.getinfo(pycurl.NUM_CONNECTS) or curl.getinfo(pycurl.HEADER_SIZE):
            return False
        curl.setopt(pycurl.FRESH_CONNECT, 1)
        curl.fresh = True
        return True

    def done(self, curl: Any) -> None:  # noqa: ANN401
        """Takes a handle back for another question."""
        if curl.fresh:
            curl.setopt(pycurl.FRESH_CONNECT, 0)
            curl.fresh = False
        self._idle.append(curl)

    def value(self, curl: Any) -> str:  # noqa: ANN401
        """What the row has of the answer."""
        if self.entry.get("value", "served") == "body":
            return str(curl.body[:LONGEST_VALUE].decode(errors="replace").partition("\n")[0])
        return str(curl.served)

    def _next(self, due: float) -> Any:  # noqa: ANN401
        curl = self._idle.pop() if self._idle else self._handle()
        curl.due, curl.number, curl.body, curl.served = due, self._count, b"", ""
        self._count += 1
        return curl

    def _handle(self) -> Any:  # noqa: ANN401
        curl = pycurl.Curl()
        curl.stream, curl.fresh = self, False
        curl.setopt(pycurl.URL, self.entry["url"])
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.TIMEOUT_MS, int(1000 * self._timeout))
        curl.setopt(pycurl.CAINFO, self._ca)
        curl.unsetopt(pycurl.CAPATH)  # else every connection reads all of the system's authorities, for 40 ms
        curl.setopt(pycurl.HTTP_VERSION, VERSIONS[self.entry.get("http", "1.1")])
        curl.setopt(pycurl.PIPEWAIT, 1 if self.entry.get("http") == "2" else 0)
        # The balancers close what was idle for 15 s; who asks in that very moment meets an ended connection.
        curl.setopt(pycurl.MAXAGE_CONN, IDLE_SECONDS)
        curl.setopt(pycurl.DNS_CACHE_TIMEOUT, -1)  # asked once, so that no resolver is measured

        def header(line: bytes) -> None:
            if line[0] in b"Xx" and line[: len(SERVED_BY)].lower() == SERVED_BY:
                curl.served = line[len(SERVED_BY) :].strip().decode(errors="replace")

        def body(data: bytes) -> None:
            curl.body += data

        curl.setopt(pycurl.HEADERFUNCTION, header)
        curl.setopt(pycurl.WRITEFUNCTION, body)
        if not self.entry.get("keep", True):
            curl.setopt(pycurl.FRESH_CONNECT, 1)
            curl.setopt(pycurl.FORBID_REUSE, 1)
        return curl


class MailStream(Stream):
    """Messages, each on a connection of its own, by whom the URL names; TLS before the password."""

    def __init__(self, index: int, entry: dict[str, Any], timeout: float, ca: str) -> None:
        super().__init__(index, entry, timeout, ca)
        parts = urlsplit(entry["url"])
        self._address = unquote(parts.username or "")
        self._password = (PASSWORDS / "mail").read_text().strip()
        self.entry = entry | {"url": f"smtp://{parts.hostname}:{parts.port}"}

    def question(self, due: float) -> Any:  # noqa: ANN401
        """The next message, ready to be sent."""
        curl = self._next(due)
        message = self.entry["post"].replace("{n}", str(curl.number)).replace("\n", "\r\n").encode()
        curl.setopt(pycurl.READDATA, io.BytesIO(message))
        curl.setopt(pycurl.INFILESIZE, len(message))
        return curl

    def _handle(self) -> Any:  # noqa: ANN401
        curl = super()._handle()
        curl.setopt(pycurl.UPLOAD, 1)
        curl.setopt(pycurl.USE_SSL, pycurl.USESSL_ALL)
        curl.setopt(pycurl.USERNAME, self._address)
        curl.setopt(pycurl.PASSWORD, self._password)
        curl.setopt(pycurl.MAIL_FROM, f"<{self._address}>")
        curl.setopt(pycurl.MAIL_RCPT, [f"<{self._address}>"])
        return curl
