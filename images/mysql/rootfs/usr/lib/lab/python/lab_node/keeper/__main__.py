"""Starts the keeper and its three endpoints: status for balancers, questions of nodes, control by root of this node."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from . import donation, doors, ending, settings, wire
from .galera import Galera
from .keeper import Keeper
from .rules import Role
from .status import Status

LOCAL = "127.0.0.1"
NOT_FOUND: tuple[int, dict[str, Any]] = (404, {"error": "not found"})


class Endpoints:
    """The answers of a keeper, by path. `nodes`: the listener of the other nodes, whose certificate is renewed."""

    def __init__(self, keeper: Galera | Keeper) -> None:
        self.keeper = keeper
        stalled = donation.HELD * keeper.settings.patience
        handler = doors.handler(self.questions, "POST", stalled=stalled)
        self.nodes = doors.Listener(wire.QUESTION_PORT, handler, keeper.others)

    def public(self, path: str, asker: str) -> tuple[int, dict[str, Any]]:
        """For balancers, and for this node's own programs."""
        keeper = self.keeper
        if path == "/role":
            return 200, {"role": keeper.role.value if keeper.role is not Role.PRIMARY or keeper.serves else "alone"}
        local = asker == LOCAL
        verdict = {"/primary": keeper.serves, "/replica": keeper.fresh if local else keeper.readable}.get(path)
        if local and (verdict is not None or path == "/state"):
            return 503 if verdict is False else 200, keeper.state()
        if verdict is None:
            return NOT_FOUND
        # A balancer needs the code, the backup four figures. The reason of a failure may quote what is in its tables.
        lag, position = keeper.lagging, keeper.position
        body = {"role": keeper.role.value, "serves": keeper.serves, "lag": lag, "position": position}
        return 200 if verdict else 503, body

    def questions(self, path: str, values: dict[str, Any]) -> doors.Answer:
        """For the other mysql nodes."""
        if path == "/state":
            self.keeper.heard(**values)
        answer = self.keeper.state() if path == "/state" else self.keeper.questions(path, values)
        return NOT_FOUND if answer is None else (200, answer)

    def control(self, path: str, values: dict[str, Any]) -> doors.Answer:
        """For root of this node."""
        if path == "/switchover":
            return 200, self.keeper.switchover(**values)
        if path == "/reclone":
            return 200, self.keeper.reclone()
        if path == "/certificates":
            body = self.keeper.renew()
            self.nodes.renew()
            return 200, body
        return NOT_FOUND


def main() -> None:
    """Runs until SIGTERM."""
    ending.end_with_any_thread()
    config = settings.read()
    Path("/run/lab").mkdir(exist_ok=True)
    Path(wire.CONTROL).unlink(missing_ok=True)
    keeper = Galera(config) if config.topology == "galera" else Keeper(config)
    endpoints = Endpoints(keeper)
    opened: list[Status | doors.Listener | doors.LocalListener] = [
        Status(wire.STATE_PORT, endpoints.public),
        endpoints.nodes,
        doors.LocalListener(wire.CONTROL, doors.handler(endpoints.control, "POST")),
    ]
    Path(wire.CONTROL).chmod(0o600)
    for door in opened:
        threading.Thread(target=door.serve_forever, daemon=True).start()

    asked_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    threading.Thread(target=keeper.run, daemon=True).start()
    asked_to_end.wait()
    keeper.stop()
    sys.stdout.flush()
    os._exit(0)


main()
