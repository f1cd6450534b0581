"""`lab stop`, `start`, `restart`, `kill`, `pause`: the power of nodes, by hand. Faults are in `lab fault`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from lab.cli import naming, options

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend


BY_HAND = "has booted; it is by hand, and its services are not awaited"


def _start(backend: Backend, node: str) -> str:
    from lab.lifecycle.endings import Endings

    return "" if Endings(backend.observe(), backend).start(node) else BY_HAND


def _restart(backend: Backend, node: str) -> str:
    backend.stop(node)
    return _start(backend, node)


@dataclass(frozen=True)
class Verb:
    """A verb on nodes.

    Attributes:
        text: its help.
        done: the message about each node afterwards.
        act: the operation on one node; may return another message.
        lasting: whether the nodes stay so until 'lab start'; `lab heal` reverts faults alone.
    """

    text: str
    done: str
    act: Callable[[Backend, str], str | None]
    lasting: bool = False


VERBS = {
    "stop": Verb(
        "Stops nodes cleanly: requests in flight are finished first. 'lab start' starts them; 'lab heal' does not.",
        "stopped",
        lambda backend, node: backend.stop(node),
        lasting=True,
    ),
    "start": Verb("Starts nodes, resumes paused ones, and waits until they are ready.", "ready", _start),
    "restart": Verb("Stops nodes cleanly and starts them again, one by one.", "ready", _restart),
    "kill": Verb(
        "Kills nodes without warning, like a power failure. 'lab start' starts them; 'lab heal' does not.",
        "killed",
        lambda backend, node: backend.kill(node),
        lasting=True,
    ),
    "pause": Verb(
        "Freezes nodes: connections stay open and get no answer. 'lab start' resumes them; 'lab heal' does not.",
        "paused",
        lambda backend, node: backend.pause(node),
        lasting=True,
    ),
}


def register(app: typer.Typer) -> None:
    """Adds the verbs."""
    for name, verb in VERBS.items():
        app.command(name, help=verb.text)(_command(verb))


def _command(verb: Verb) -> Callable[..., None]:
    def run(backend: Backend, nodes: options.Nodes) -> None:
        for node in [options.known_node(backend, node) for node in nodes]:
            done = verb.act(backend, node) or verb.done
            print(f"{node}: {done}")
        if verb.lasting:
            print(
                naming.named(
                    f"'lab start {' '.join(nodes)}' starts them; 'lab heal' reverts only what 'lab fault' injected"
                )
            )

    return options.on_cluster(run)
