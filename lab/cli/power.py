"""`lab stop`, `start`, `restart`, `kill`, `pause`: what happens to machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from lab.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    for verb in (stop, start, restart, kill, pause):
        app.command()(verb)


def stop(
    nodes: options.Nodes,
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = "docker",
) -> None:
    """Stops nodes cleanly: requests in flight are finished first."""
    _each(nodes, options.backend(file, name, backend), "stopped", lambda made, node: made.stop(node))


def start(
    nodes: options.Nodes,
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = "docker",
) -> None:
    """Starts nodes, or wakes paused ones, and waits until they are ready."""
    _each(nodes, options.backend(file, name, backend), "ready", _start)


def restart(
    nodes: options.Nodes,
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = "docker",
) -> None:
    """Stops nodes cleanly and starts them again, one after the other."""
    _each(nodes, options.backend(file, name, backend), "ready again", _restart)


def kill(
    nodes: options.Nodes,
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = "docker",
) -> None:
    """Ends nodes without warning, as a power cut does."""
    _each(nodes, options.backend(file, name, backend), "killed", lambda made, node: made.kill(node))


def pause(
    nodes: options.Nodes,
    file: options.File = None,
    name: options.Name = None,
    backend: options.BackendName = "docker",
) -> None:
    """Freezes nodes: they keep their connections and answer nothing. 'lab start' wakes them."""
    _each(nodes, options.backend(file, name, backend), "paused", lambda made, node: made.pause(node))


def _start(made: Backend, node: str) -> None:
    from lab.lifecycle import ready

    made.start(node)
    ready.node(made, node, ready.READY_SECONDS)


def _restart(made: Backend, node: str) -> None:
    made.stop(node)
    _start(made, node)


def _each(nodes: list[str], made: Backend, done: str, act: Callable[[Backend, str], None]) -> None:
    known = [options.known_node(made, node) for node in nodes]
    for node in known:
        act(made, node)
        print(f"{node}: {done}")
