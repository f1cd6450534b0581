"""`lab down`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(down)


def down(
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = None,
    host: options.Host = None,
    volumes: Annotated[bool, typer.Option("--volumes", help="Remove the data and the secrets too.")] = False,
) -> None:
    """Removes the cluster: what carries its label, whatever became of the topology."""
    from lab.cli import screen
    from lab.lifecycle.down import down as take_down
    from lab.lifecycle.lock import held

    made = options.backend(file, name, backend, host)
    with screen.report() as report, held(made.cluster, "lab down", report):
        count = take_down(made, report, volumes=volumes)
    kept = "" if volumes else "; its data is kept ('--volumes' removes it too)"
    print(f"removed {count} nodes of '{made.cluster}'{kept}")
