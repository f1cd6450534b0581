"""A live page in a thread of the test, and requests to it."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from lab.page.security import Tokens
from lab.page.server import Page, PageServer, listening

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lab.backends.base import Backend
    from lab.page.server import Panel
    from lab.topology import Cluster

BEGIN_SECONDS = ANSWER_SECONDS = 10.0
END_SECONDS = 60.0  # what it has injected is reverted first
TOKENS = Tokens("the-token-that-changes", "the-token-that-reads")


@dataclass
class Served:
    """A page that is served."""

    page: Page
    port: int
    server: PageServer
    thread: threading.Thread
    session: requests.Session = field(default_factory=requests.Session)

    @property
    def base(self) -> str:
        """Its address without a token."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """The printed address."""
        return f"{self.base}/?token={TOKENS.change}"

    @property
    def read_only(self) -> str:
        """The read-only address."""
        return f"{self.base}/?token={TOKENS.read}"

    @property
    def _limit(self) -> float:
        """Of a request, which may ask the engine."""
        return self.page.collector.backend.clock.guard(ANSWER_SECONDS)

    def get(self, path: str, token: str = TOKENS.change, **headers: str) -> requests.Response:
        """A request with a token in its header."""
        given = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.get(f"{self.base}{path}", headers=given | headers, timeout=self._limit)

    def post(self, path: str, body: Mapping[str, Any], token: str = TOKENS.change, **headers: str) -> requests.Response:
        """A change."""
        given = {"X-Lab-Page": "1"} | ({"Authorization": f"Bearer {token}"} if token else {}) | headers
        given = {name: value for name, value in given.items() if value}
        return requests.post(f"{self.base}{path}", json=body, headers=given, timeout=self._limit)

    def end(self) -> None:
        """Ends the server as Ctrl-C does."""
        self.server.end()
        self.thread.join(self.page.collector.backend.clock.guard(END_SECONDS))
        assert not self.thread.is_alive()


@contextmanager
def served(  # noqa: PLR0913  options of a page
    backend: Backend,
    topology: Cluster,
    *,
    port: int | None = None,
    panel: Panel | None = None,
    folder: Path = Path("runs"),
    tokens: Tokens = TOKENS,
    visitors: bool = True,
) -> Iterator[Served]:
    """A page of a cluster, for the span of a `with`."""
    with listening(port) as opened:
        number = opened.getsockname()[1]
        page = Page(backend, topology, port=number, tokens=tokens, panel=panel, folder=folder, visitors=visitors)
        server = PageServer(page)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + BEGIN_SECONDS
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.02)
        assert server.started
        made = Served(page, number, server, thread)
        try:
            yield made
        finally:
            if thread.is_alive():
                made.end()
