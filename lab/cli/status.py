"""`lab status`, and its alias `lab ps`."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lab.cli import options, screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend
    from lab.lifecycle.status import Status

WATCH_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command()(options.on_cluster(status))
    app.command("ps", hidden=True)(options.on_cluster(status))


def status(
    backend: Backend,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (docs/status.md).")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Repeat every second, until Ctrl-C.")] = False,
) -> None:
    """Shows each node, its state, and the reason if it is not ready. Exits with 1 if the cluster is not ready."""
    from lab.lifecycle.status import status as look

    if watch:
        _watch(lambda: look(backend))
    current = look(backend)
    if as_json:
        print(json.dumps(current.json(), indent=2))
    else:
        from lab.cli import tables

        tables.status(current)
    if not current.ready:
        raise typer.Exit(1)


def _watch(look: Callable[[], Status]) -> NoReturn:
    from rich.live import Live

    from lab.cli import tables

    if not sys.stdout.isatty():  # a pipe: its reader may leave
        with screen.looking():
            while True:
                tables.status(look())
                sys.stdout.flush()
                time.sleep(WATCH_SECONDS)
    with screen.looking(), Live(refresh_per_second=4) as live:
        while True:
            begun = time.monotonic()
            live.update(tables.rendered(look()))
            # Polling takes at most half of the time, since it runs a process in each node.
            time.sleep(max(WATCH_SECONDS, time.monotonic() - begun))
