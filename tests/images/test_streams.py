"""A stream of the engine that another thread ends at its last byte leaves the client's other connections alone."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

from lab import engine
from lab.recipes import recipe

if TYPE_CHECKING:
    from lab.recipes import Family

LINE = b"the only line\n"


def _socket(stream: Any) -> socket.socket:  # noqa: ANN401  docker-py names no type for what is inside
    """Its socket, as `close` of docker-py finds it."""
    found: socket.socket = stream._response.raw._fp.fp.raw._sock  # noqa: SLF001
    return found


def test_a_stream_closed_as_it_ends_takes_no_connection_of_others(table: Family) -> None:
    """The reader gave the connection back to the pool before its socket was closed: the next request failed."""
    api = engine.connect()
    made = api.create_container(recipe("client", table.family).tag, ["echo", LINE.decode().strip()], entrypoint=[])[
        "Id"
    ]
    try:
        api.start(made)
        stream = api.logs(made, stream=True, follow=True)
        found = _socket(stream)
        assert b"".join(stream) == LINE
        with contextlib.suppress(OSError):  # closed with its end, as it should be
            found.shutdown(socket.SHUT_RDWR)
        found.close()
        # docker-py has a pool for each address: the next request of the same one took that connection.
        assert b"".join(api.logs(made, stream=True, follow=True)) == LINE
    finally:
        api.remove_container(made, force=True)
        api.close()
