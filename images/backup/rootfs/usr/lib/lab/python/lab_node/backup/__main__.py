"""lab_node.backup VERB [JSON]: what this node does by itself (`serve`, `archive`), and what it is asked, as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import archive, backup, repository, restore, schedule, settings
from .command import Failed

if TYPE_CHECKING:
    from collections.abc import Callable

NICE = 10  # a backup is in no hurry; who waits for a restore is


def listed(config: settings.Settings) -> dict[str, Any]:
    """All backups, and how far the log goes on from each."""
    del config
    rows = [asdict(one) | {"reach": archive.reach(one.history)} for one in repository.snapshots()]
    return {"backups": rows, "bytes": repository.size(), "because": backup.state().because}


def checked(config: settings.Settings) -> dict[str, Any]:
    """Reads the whole repository."""
    del config
    began = time.monotonic()
    with repository.held():
        repository.ensure()
        repository.check()
        count = len(repository.snapshots())
    return {"backups": count, "bytes": repository.size(), "seconds": round(time.monotonic() - began, 2)}


def restored(config: settings.Settings, **request: Any) -> dict[str, Any]:
    """Into the cluster."""
    return restore.restore(config, restore.Request(**request))


def drilled(config: settings.Settings, **request: Any) -> dict[str, Any]:
    """Into a scratch place."""
    os.nice(NICE)
    return restore.drill(config, restore.Request(**request))


def backed_up(config: settings.Settings) -> dict[str, Any]:
    """A backup, now."""
    os.nice(NICE)
    return backup.run(config)


VERBS: dict[str, Callable[..., dict[str, Any]]] = {
    "now": backed_up,
    "list": listed,
    "check": checked,
    "restore": restored,
    "drill": drilled,
}
STAYING = {"serve": schedule.stay, "archive": archive.stay}


def main(verb: str, arguments: str = "{}") -> int:
    """Does it; 1 for what did not work, which is printed as JSON too."""
    if verb in STAYING:
        ending = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ending.set())
        if verb == "serve":
            os.nice(NICE)
        STAYING[verb](ending)
        return 0
    try:
        print(json.dumps(VERBS[verb](settings.read(), **json.loads(arguments))))
    except Failed as failed:
        print(json.dumps({"failed": failed.what, "next_step": failed.next_step, "asked": failed.bad_request}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
