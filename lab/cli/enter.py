"""`lab exec` and `lab enter`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from lab.cli import options

if TYPE_CHECKING:
    from lab.backends.base import Backend


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    app.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(
        options.on_cluster(execute)
    )
    app.command()(options.on_cluster(enter))


def execute(
    backend: Backend,
    node: options.Node,
    command: Annotated[list[str], typer.Argument(help="The command and its arguments.")],
) -> None:
    """Runs a command in a node. Input, output and exit code are passed through unchanged."""
    argv = command[1:] if command[:1] == ["--"] else command
    if not argv:
        raise typer.BadParameter("a command is missing", param_hint="COMMAND")
    from lab.backends.optional import shells

    become(shells(backend).shell(options.running_node(backend, node), argv, terminal=False))


def enter(
    backend: Backend,
    node: options.Node,
) -> None:
    """Opens a shell in a node. Its configuration is in /etc/lab."""
    from lab.backends.optional import shells

    become(shells(backend).shell(options.running_node(backend, node), ["/bin/bash"], terminal=sys.stdin.isatty()))


def become(argv: list[str]) -> NoReturn:
    """Replaces this process by another command."""
    sys.stdout.flush()
    os.execvp(argv[0], argv)  # noqa: S606
