"""`lab logs`."""

from __future__ import annotations

import itertools
import threading
from typing import Annotated

import typer

from lab.cli import options

COLOURS = ["cyan", "green", "magenta", "yellow", "blue", "red", "bright_cyan", "bright_green", "bright_magenta"]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(logs)


def logs(
    nodes: Annotated[list[str] | None, typer.Argument(help="The nodes; all of them unless said.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines come, until Ctrl-C.")] = False,
    console: Annotated[
        bool, typer.Option("--console", help="All that the node's machine printed, its kernel included (Xen).")
    ] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="Only the last lines of each node.")] = None,
    file: Annotated[str | None, typer.Option("--file", envvar="LAB_FILE", help="The topology.")] = None,
    name: options.Name = None,
    backend: options.BackendName = None,
    host: options.Host = None,
) -> None:
    """Shows what the nodes' services print, each line behind its node and service."""
    made = options.backend(file, name, backend, host)
    chosen = [options.known_node(made, node) for node in nodes or []] or [node.name for node in made.observe().nodes]
    width = max((len(node) for node in chosen), default=0)
    labels = [
        typer.style(f"{node:<{width}}", fg=colour)
        for node, colour in zip(chosen, itertools.cycle(COLOURS), strict=False)
    ]

    def show(node: str, label: str) -> None:
        for line in made.logs(node, follow=follow, tail=tail, console=console):
            typer.echo(f"{label}  {line}")

    if not follow:
        for node, label in zip(chosen, labels, strict=True):
            show(node, label)
        return
    readers = [threading.Thread(target=show, args=pair, daemon=True) for pair in zip(chosen, labels, strict=True)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
