"""The server of the page: a socket of this machine, uvicorn, and `serve`, which other verbs call too."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from lab.errors import HostError
from lab.page import frugal
from lab.page.routes import Page, Panel
from lab.page.security import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from lab.backends.base import Backend
    from lab.topology import Cluster

PORT = 8710
PORTS = 20  # further ones that are tried


def listening(port: int | None) -> socket.socket:
    """A socket of 127.0.0.1: on the given port, or the first free one from `PORT` on.

    Raises:
        HostError: the port is in use.
    """
    for number in [port] if port else range(PORT, PORT + PORTS):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", number))
            listener.listen(64)
        except OSError:
            listener.close()
            continue
        return listener
    where = f"port {port}" if port else f"every port from {PORT} to {PORT + PORTS - 1}"
    raise HostError(f"{where} of 127.0.0.1 is in use", where="--port", next_step="choose another with --port")


class PageServer(uvicorn.Server):
    """A server of a page, which ends at once, also with open streams."""

    def __init__(self, page: Page) -> None:
        self._page = page
        super().__init__(
            uvicorn.Config(
                page.application(),
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=1,
                server_header=False,
                date_header=False,
                lifespan="on",
                ws="none",
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._page.ending.set()
        super().handle_exit(sig, frame)

    def end(self) -> None:
        """Ends it, from another thread."""
        self._page.ending.set()
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Closes the connections as well that were not closed in time, as those of a browser that is busy."""
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(0)  # the loop closes them in its next turn


def serve(  # noqa: PLR0913  a page's options
    backend: Backend,
    topology: Cluster,
    *,
    panel: Panel | None = None,
    port: int | None = None,
    read_only: bool = False,
    open_browser: bool = False,
    visitors: bool = True,
    folder: Path = Path("runs"),
    suffix: str = "",
    named: Callable[[str], str] = str,
    say: Callable[[str], None] = print,
) -> None:
    """Serves the page of a cluster until Ctrl-C; then reverts the faults that it injected.

    Args:
        backend: of the cluster.
        topology: what it was made from.
        panel: fills the panel beside the picture.
        port: of 127.0.0.1; None: the first free one from 8710 on.
        read_only: whether nothing can be changed, by no address.
        open_browser: whether to open a browser.
        visitors: whether the gentle load runs while there are viewers.
        folder: of the runs.
        suffix: options of the shown commands that say which cluster.
        named: adds them to the commands of a text.
        say: hears the addresses.

    Raises:
        HostError: the port is in use.
    """
    frugal.begin()
    opened = listening(port)
    number = opened.getsockname()[1]
    tokens = Tokens.of(backend.cluster, read_only=read_only)
    page = Page(
        backend,
        topology,
        port=number,
        tokens=tokens,
        panel=panel,
        folder=folder,
        suffix=suffix,
        named=named,
        visitors=visitors,
    )
    _tell(f"http://127.0.0.1:{number}/?token=", tokens, say, open_browser=open_browser)
    with opened, contextlib.suppress(KeyboardInterrupt):
        PageServer(page).run(sockets=[opened])


def _tell(address: str, tokens: Tokens, say: Callable[[str], None], *, open_browser: bool) -> None:
    """Says the addresses, and opens the one that may do most."""
    if tokens.change:
        say(f"{address}{tokens.change}")
    say(f"{address}{tokens.read}  (read-only)")
    say("Ctrl-C ends it, and reverts the faults that it injected")
    if open_browser:
        threading.Timer(0.5, webbrowser.open, [address + (tokens.change or tokens.read)]).start()


__all__ = ["Page", "PageServer", "Panel", "listening", "serve"]
