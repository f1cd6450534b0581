"""`up` in a separate process, killed after a number of progress lines."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

from lab.errors import LabError, NotReady
from lab.progress import Silent

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from lab.topology import Cluster, Placement

UP_SECONDS = 240.0
END_SECONDS = 10.0
LAST = "done"


class Lines(Silent):
    """Sends each line of progress to the parent process."""

    def __init__(self, to: Connection) -> None:
        self._to = to

    def say(self, line: str) -> None:
        """One line."""
        self._to.send(line)

    def step(self, subject: str, text: str, *, done: bool = False) -> None:
        """What a node is at now."""
        del done
        self._to.send(f"{subject}: {text}")


def interrupted(cluster: Cluster, place: Placement, lines: int | None) -> str:
    """Runs `up`, kills it after `lines` lines of progress (None: never), and returns the last line.

    Raises:
        NotReady: `up` failed, or timed out.
    """
    receiver, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_up, args=(cluster, place, there), daemon=True)
    process.start()
    there.close()
    printed: list[str] = []
    try:
        while lines is None or len(printed) < lines:
            if not receiver.poll(UP_SECONDS):
                raise NotReady(f"'lab up' printed nothing for {UP_SECONDS:g} s; last: {printed[-1:]}")
            printed.append(receiver.recv())
            if printed[-1] == LAST:
                process.join(END_SECONDS)
                return "lab up: done"
    except EOFError:
        raise NotReady(f"'lab up' ended: {printed[-1] if printed else 'it printed nothing'}") from None
    finally:
        process.kill()
        process.join()
    return f"lab up: killed after {printed[-1]!r}"


def _up(cluster: Cluster, place: Placement, to: Connection) -> None:
    from lab.backends import backend
    from lab.lifecycle.up import up

    try:
        up(cluster, backend(place, cluster.name), Lines(to))
        to.send(LAST)
    except LabError as error:
        to.send(f"failed: {error.what}")
