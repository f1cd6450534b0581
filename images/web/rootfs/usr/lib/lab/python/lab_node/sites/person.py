"""Work done as one of the cluster's people, in a process of its own: it can do and read what they can, and no more."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import resource
import select
import signal
import time
from typing import TYPE_CHECKING, Any

from .errors import TROUBLE, ContentError, Failed

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 600.0
MOST_BYTES = 2 << 30  # of a file that is written
FIRST, LAST = 20000, 59999  # the numbers that the plan gives to people


def done_as(name: str, work: Callable[[], Any], seconds: float = SECONDS) -> Any:  # noqa: ANN401  what `work` returns
    """What `work` returns (JSON) when a user of the cluster does it.

    Raises:
        ContentError: `work` raised it.
        Failed: there is no such user here, it failed otherwise, or it took more than `seconds`.
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise Failed(f"this node has no user '{name}'") from None
    if not FIRST <= user.pw_uid <= LAST:
        raise Failed(f"'{name}' is a user of the system's own")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        _answer(user, work, writer)
    os.close(writer)
    with open(reader, "rb") as stream:
        try:
            data = _read(stream.fileno(), time.monotonic() + seconds)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    if not data:
        raise Failed(f"it did not end within {seconds:.0f} s")
    answer = json.loads(data)
    if "failed" in answer:
        raise (ContentError if answer["content"] else Failed)(answer["failed"])
    return answer["done"]


def _answer(user: pwd.struct_passwd, work: Callable[[], Any], out: int) -> None:
    """The child: becomes the user, works, answers, and ends."""
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
        os.umask(0o022)
        try:
            answer = {"done": work()}
        except (*TROUBLE, ValueError) as error:
            answer = {"failed": str(error), "content": isinstance(error, ContentError)}
        with open(out, "wb") as file:
            file.write(json.dumps(answer).encode())
    finally:
        os._exit(0)


def _read(fd: int, deadline: float) -> bytes:
    """All that is written there; nothing where it does not end in time."""
    data = b""
    while True:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return b""
        more = os.read(fd, 1 << 16)
        if not more:
            return data
        data += more
