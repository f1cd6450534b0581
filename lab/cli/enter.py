"""`lab exec` and `lab enter`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.backends.base import Backend

HOUR = 3600.0


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(
        options.on_cluster(execute)
    )
    app.command()(options.on_cluster(enter))


def execute(
    made: Backend,
    node: options.Node,
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.")],
) -> None:
    """Runs a command in a node; its output and exit code are passed on."""
    argv = command[1:] if command[:1] == ["--"] else command
    done = made.run(options.known_node(made, node), argv, seconds=HOUR)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    raise typer.Exit(done.rc)


def enter(
    made: Backend,
    node: options.Node,
) -> None:
    """Opens a shell in a node. Its own configuration lies in /etc/lab."""
    argv = made.shell(options.known_node(made, node), ["/bin/bash"])
    os.execvp(argv[0], argv)  # noqa: S606
