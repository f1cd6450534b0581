"""`lab logs`."""

from __future__ import annotations

import itertools
import queue
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options, screen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lab.backends.base import Backend

LOOK_SECONDS = 0.5  # interval of checks whether the reader of standard output has left
COLOURS = ["cyan", "green", "magenta", "yellow", "blue", "red", "bright_cyan", "bright_green", "bright_magenta"]


File = Annotated[str | None, typer.Option("--file", envvar="LAB_FILE", help="The topology; '-f' is '--follow' here.")]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(logs)


@options.common("name", "backend", "host", file=File)
def logs(
    choice: options.Choice,
    nodes: Annotated[list[str] | None, typer.Argument(help="The nodes. Default: all.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the output, until Ctrl-C.")] = False,
    console: Annotated[
        bool, typer.Option("--console", help="Show the node's whole console, kernel messages included (Xen).")
    ] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=0, help="Show only the last N lines of each node.")] = None,
) -> None:
    """Shows the output of the nodes' services, each line prefixed by node and service."""
    target = choice.open()
    chosen = [options.known_node(target, node) for node in nodes or []] or options.all_nodes(target)
    with screen.looking():
        for line in merged(target, chosen, follow=follow, console=console, tail=tail):
            typer.echo(line)


def merged(
    target: Backend, chosen: Sequence[str], *, follow: bool, console: bool = False, tail: int | None = None
) -> Iterator[str]:
    """The lines of several nodes behind their names: as they come with `follow`, else node by node."""
    from lab.backends.optional import consoles
    from lab.backends.optional import logs as kept_logs

    width = max((len(node) for node in chosen), default=0)
    labels = [
        typer.style(f"{node:<{width}}", fg=colour)
        for node, colour in zip(chosen, itertools.cycle(COLOURS), strict=False)
    ]

    printed = consoles(target).console if console else kept_logs(target).logs

    def lines(node: str, label: str) -> Iterator[str]:
        for line in printed(node, follow=follow, tail=tail):
            yield f"{label}  {line}"

    each = [lines(*pair) for pair in zip(chosen, labels, strict=True)]
    yield from _as_they_come(each) if follow else itertools.chain.from_iterable(each)


def _as_they_come(sources: Sequence[Iterator[str]]) -> Iterator[str]:
    """The lines of all sources, until all have ended or the reader of standard output has left.

    Raises:
        Exception: the exception of a source.
    """
    lines: queue.Queue[str | Exception | None] = queue.Queue(maxsize=1000)

    def listen(source: Iterator[str]) -> None:
        try:
            for line in source:
                lines.put(line)
            lines.put(None)
        except Exception as error:  # noqa: BLE001  raised again by the reader, which otherwise would wait for the source
            lines.put(error)

    for source in sources:
        threading.Thread(target=listen, args=(source,), daemon=True).start()
    left = len(sources)
    while left:
        try:
            line = lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            if screen.reader_gone():
                return
            continue
        if isinstance(line, Exception):
            raise line
        if line is None:
            left -= 1
        else:
            yield line
