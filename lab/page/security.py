"""Who may ask the page, and for what: by a token, a cookie, and the headers of a request."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from lab import paths, private
from lab.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = "x-lab-page"
TOKEN_BYTES = 24
KEY_BYTES = 32
FULL_NOTE, READ_NOTE = "page-token", "page-token-read"
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
"""A report has its style inside; it runs no script, and loads nothing."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Right(Enum):
    """What a token allows."""

    NONE = 0
    READ = 1
    CHANGE = 2


@dataclass(frozen=True)
class Tokens:
    """The tokens of a page: that of the printed address, and that of the read-only one."""

    change: str
    read: str

    @classmethod
    def of(cls, cluster: str, *, read_only: bool) -> Tokens:
        """The tokens of a cluster's page, kept with its secrets, so that a browser finds a restarted page again.

        A read-only page has no token that allows changes.
        """
        change = "" if read_only else _stored_token(cluster, FULL_NOTE)
        return cls(change, _stored_token(cluster, READ_NOTE))

    def right(self, token: str) -> Right:
        """What a token allows."""
        encoded = token.encode()
        if self.change and hmac.compare_digest(encoded, self.change.encode()):
            return Right.CHANGE
        return Right.READ if hmac.compare_digest(encoded, self.read.encode()) else Right.NONE


def _stored_token(cluster: str, name: str) -> str:
    """A token that is kept; created at the first use, and where no folder can be made for this life only."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        path = paths.secrets(cluster, make=True) / name
        if path.is_file() and (text := private.read(path).strip()):
            return text
        private.write(path, token)
    except (HostError, OSError):
        return token
    return token


@dataclass(frozen=True)
class Guard:
    """Judges requests to the page at one port of 127.0.0.1.

    Attributes:
        key: of this run. A browser sends a cookie to every port of its host, so its value is derived by this key from a
            token: a server that gets it has no token, and its value is void after this run.
    """

    tokens: Tokens
    port: int
    key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)

    @property
    def cookie(self) -> str:
        """Its name; cookies do not tell ports apart, so it has the port in it."""
        return f"lab-page-{self.port}"

    @property
    def host(self) -> str:
        """The `Host` that is answered.

        Any other is a foreign name that leads here, or `localhost`, where the sites of clusters would get the cookie.
        """
        return f"127.0.0.1:{self.port}"

    def refusal(self, method: str, headers: Mapping[str, str]) -> str:
        """Why a request is refused, with any token; empty where it is not."""
        if headers.get("host", "") != self.host:
            return f"this page answers to its own address only: http://{self.host}/"
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{self.host}":
            return "this page answers to itself only, and to no other site"
        if headers.get("sec-fetch-site", "none") in ("cross-site", "same-site") and method != "GET":
            return "this page answers to itself only, and to no other site"
        if method not in ("GET", "HEAD") and headers.get(HEADER) != "1":
            return f"a change needs the header '{HEADER}: 1'"
        return ""

    def right(self, headers: Mapping[str, str], cookies: Mapping[str, str], query_token: str = "") -> Right:
        """What a request may do: by its cookie, by `Authorization: Bearer`, or by the token of the printed address."""
        tokens = filter(None, (query_token, bearer(headers)))
        rights = [self._cookie_right(cookies.get(self.cookie, "")), *(self.tokens.right(token) for token in tokens)]
        return max(rights, key=lambda right: right.value)

    def set_cookie(self, token: str) -> str:
        """The header that turns a token into a cookie."""
        return f"{self.cookie}={self._cookie_value(token)}; Path=/; HttpOnly; SameSite=Strict"

    def _cookie_value(self, token: str) -> str:
        return hmac.new(self.key, token.encode(), "sha256").hexdigest()

    def _cookie_right(self, value: str) -> Right:
        for token, right in ((self.tokens.change, Right.CHANGE), (self.tokens.read, Right.READ)):
            if token and hmac.compare_digest(value.encode(), self._cookie_value(token).encode()):
                return right
        return Right.NONE


def bearer(headers: Mapping[str, str]) -> str:
    """The token of `Authorization: Bearer`; empty without."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""
