"""A visitor of a cluster who sits at this machine: a requests session, by a published port, that trusts the CA."""

from __future__ import annotations

import atexit
import functools
import os
import tempfile
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter

HERE = "127.0.0.1"
SERVED = "X-Served-By"
PATIENCE = 10.0


class Visitor(requests.Session):
    """A session whose relative URLs are those of one site: `http.get("/posts")`.

    Cookies are kept as a browser does, nothing is asked twice, and no proxy of this machine is used.

    Attributes:
        base: the site, such as `https://blog.localhost:8443`; `ca`: the certificates to trust there, PEM.
        patience: seconds that a question waits, unless it says `timeout`.
        served: the nodes that answered so far, as they say themselves (`X-Served-By`).
    """

    def __init__(self, base: str, ca: str = "", patience: float = PATIENCE) -> None:
        super().__init__()
        self.base, self.patience = base.rstrip("/"), patience
        self.served: set[str] = set()
        self.trust_env = False
        self.verify = _file(ca) if ca else True
        self.mount(self.base, Here(self.base))

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.setdefault("timeout", self.patience)
        text = url.decode() if isinstance(url, bytes) else url
        return super().request(method, urljoin(f"{self.base}/", text), *args, **kwargs)

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        answer = super().send(request, **kwargs)
        self.served.update(one.headers[SERVED] for one in (*answer.history, answer) if SERVED in one.headers)
        return answer


class Here(HTTPAdapter):
    """Sends requests for a name to this machine, without asking a resolver."""

    def __init__(self, base: str) -> None:
        self._name = urlsplit(base).hostname or HERE
        self._tls = urlsplit(base).scheme == "https"
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        if self._tls:
            kwargs |= {"server_hostname": self._name, "assert_hostname": self._name}
        super().init_poolmanager(*args, **kwargs)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        local, where = request.copy(), urlsplit(request.url or "")
        local.headers.setdefault("Host", where.netloc)
        local.url = where._replace(netloc=where.netloc.replace(self._name, HERE, 1)).geturl()
        answer = super().send(local, *args, **kwargs)
        answer.request, answer.url = request, request.url or ""
        return answer


@functools.cache
def _file(ca: str) -> str:
    """A file with these certificates, which TLS libraries want; it ends with the process."""
    handle, path = tempfile.mkstemp(prefix="lab-ca-", suffix=".pem")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(ca)
    atexit.register(os.unlink, path)
    return path
