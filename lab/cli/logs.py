"""`lab logs`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.backends.base import Backend

COLOURS = ["cyan", "green", "magenta", "yellow", "blue", "red", "bright_cyan", "bright_green", "bright_magenta"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(logs)


def logs(
    nodes: Annotated[list[str] | None, typer.Argument(help="The nodes; all of them unless said.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come, until Ctrl-C.")] = False,  # noqa: FBT002
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="Only the last lines of each node.")] = None,
    file: Annotated[str | None, typer.Option("--file", envvar="LAB_FILE", help="The topology.")] = None,
    name: options.Name = None,
    backend: options.BackendName = "docker",
) -> None:
    """Shows what the nodes' services print, each line behind its node and service."""
    made = options.backend(file, name, backend)
    chosen = [options.known_node(made, node) for node in nodes or []] or [node.name for node in made.observe().nodes]
    width = max((len(node) for node in chosen), default=0)
    readers = [
        threading.Thread(target=_read, args=(made, node, f"{node:<{width}}", COLOURS[i % len(COLOURS)], follow, tail), daemon=True)
        for i, node in enumerate(chosen)
    ]
    for reader in readers:
        reader.start()
        if not follow:
            reader.join()
    for reader in readers:
        reader.join()


def _read(made: Backend, node: str, label: str, colour: str, follow: bool, tail: int | None) -> None:  # noqa: FBT001
    for line in made.logs(node, follow=follow, tail=tail):
        typer.echo(f"{typer.style(label, fg=colour)}  {line}")
