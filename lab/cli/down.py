"""`lab down`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.backends.base import Backend


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(options.on_cluster(down))


def down(
    backend: Backend,
    volumes: Annotated[bool, typer.Option("--volumes", help="Also remove the data and the secrets.")] = False,
    keep_backups: Annotated[
        bool, typer.Option("--keep-backups", help="With --volumes: keep the backups and their secrets.")
    ] = False,
) -> None:
    """Removes all nodes of the cluster. Needs no topology."""
    from lab.cli import screen
    from lab.lifecycle.down import down as take_down
    from lab.lifecycle.lock import held

    there = backend.observe()
    with screen.report() as report, held(backend.cluster, "lab down", report):
        count = take_down(backend, report, volumes=volumes, keep_backups=keep_backups)
    if there.empty:
        print(f"there was no cluster '{backend.cluster}'")
        return
    suffix = (
        "; its data is kept ('--volumes' removes it too)" if not volumes else ", and the data" if there.data else ""
    )
    print(f"removed {count} nodes of '{backend.cluster}'{suffix}")
