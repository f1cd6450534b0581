"""Starts the keeper and its three doors: a status for balancers, questions for nodes, control for this node's root."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from . import doors, settings, wire
from .galera import Galera
from .keeper import Keeper
from .rules import Role
from .status import Status

LOCAL = "127.0.0.1"


def main() -> None:  # noqa: C901  one line a question
    """Runs until it is told to stop."""
    config = settings.read()
    Path("/run/lab").mkdir(exist_ok=True)
    keeper = Galera(config) if config.topology == "galera" else Keeper(config)

    def public(path: str, asker: str) -> tuple[int, dict[str, Any]]:
        if path == "/role":
            return 200, {"role": keeper.role.value if keeper.role is not Role.PRIMARY or keeper.serves else "alone"}
        local = asker == LOCAL
        verdict = {"/primary": keeper.serves, "/replica": keeper.fresh if local else keeper.readable}.get(path)
        if local and (verdict is not None or path == "/state"):
            return 503 if verdict is False else 200, keeper.state()
        if verdict is None:
            return 404, {"error": "not found"}
        # A balancer needs the code, the backup four figures. What ails a node may quote what is in its tables.
        lag, position = keeper.lagging, keeper.position
        body = {"role": keeper.role.value, "serves": keeper.serves, "lag": lag, "position": position}
        return 200 if verdict else 503, body

    def questions(path: str, values: dict[str, Any]) -> doors.Answer:
        if path == "/state":
            keeper.heard(**values)
        answer = keeper.state() if path == "/state" else keeper.questions(path, values)
        return (404, {"error": "not found"}) if answer is None else (200, answer)

    def control(path: str, values: dict[str, Any]) -> doors.Answer:
        if path == "/switchover":
            return 200, keeper.switchover(**values)
        if path == "/reclone":
            return 200, keeper.reclone()
        if path == "/certificates":
            body = keeper.renew()
            nodes.renew()
            return 200, body
        return 404, {"error": "not found"}

    Path(wire.CONTROL).unlink(missing_ok=True)
    nodes = doors.Listener(wire.QUESTION_PORT, doors.handler(questions, "POST"), tuple(keeper.others))
    opened: list[Status | doors.Listener | doors.LocalListener] = [
        Status(wire.STATE_PORT, public),
        nodes,
        doors.LocalListener(wire.CONTROL, doors.handler(control, "POST")),
    ]
    Path(wire.CONTROL).chmod(0o600)
    for door in opened:
        threading.Thread(target=door.serve_forever, daemon=True).start()

    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Thread(target=keeper.run, daemon=True).start()
    ending.wait()
    keeper.stop()
    sys.stdout.flush()
    os._exit(0)


main()
