"""Starts the keeper and its three doors: the state for everybody, questions for nodes, control for this node's root."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import settings
import wire
from galera import Galera
from keeper import Keeper
from rules import Role


def main() -> None:
    """Runs until it is told to stop."""
    wanted = settings.read()
    Path("/run/lab").mkdir(exist_ok=True)
    keeper = Galera(wanted) if wanted.topology == "galera" else Keeper(wanted)

    def public(path: str, values: dict[str, Any]) -> wire.Answer:
        del values
        if path == "/role":
            return 200, {"role": keeper.role.value if keeper.role is not Role.PRIMARY or keeper.serves else "alone"}
        here = {"/primary": keeper.serves, "/replica": keeper.fresh, "/state": True}.get(path)
        return (404 if here is None else 200 if here else 503), keeper.state()

    def questions(path: str, values: dict[str, Any]) -> wire.Answer:
        answer = keeper.questions(path, values)
        return (404, {"error": path}) if answer is None else (200, answer)

    def control(path: str, values: dict[str, Any]) -> wire.Answer:
        if path == "/switchover":
            return 200, keeper.switchover(**values)
        if path == "/reclone":
            return 200, keeper.reclone()
        return 404, {"error": path}

    Path(wire.CONTROL).unlink(missing_ok=True)
    questioner = wire.Listener(("", wire.QUESTION_PORT), wire.handler(questions, wanted.token))
    questioner.tls = wire.tls()
    doors = [
        wire.Listener(("", wire.STATE_PORT), wire.handler(public)),
        questioner,
        wire.LocalListener(wire.CONTROL, wire.handler(control)),
    ]
    os.chmod(wire.CONTROL, 0o600)
    for door in doors:
        threading.Thread(target=door.serve_forever, daemon=True).start()

    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    threading.Thread(target=keeper.run, daemon=True).start()
    ending.wait()
    keeper.stop()
    sys.stdout.flush()
    os._exit(0)


main()
