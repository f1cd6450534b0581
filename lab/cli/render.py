"""`lab render`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(render)


@options.common("file", "name", "family", "scale", "backend", "host")
def render(
    choice: options.Choice,
    node: Annotated[str, typer.Argument(help="The node, such as web1.")],
    path: Annotated[str | None, typer.Argument(help="One file of it, such as /etc/lab/haproxy.cfg.")] = None,
) -> None:
    """Prints the files that the topology gives a node, secrets masked. Needs no engine and no running cluster."""
    from lab.errors import SpecError
    from lab.hints import nearest
    from lab.lifecycle.resolve import offline
    from lab.plan import plan

    cluster = choice.cluster()
    planned = plan(*offline(*options.placed(cluster, choice.place())))
    match = next((entry for entry in planned.nodes if entry.name == node), None)
    if match is None:
        raise SpecError(f"the topology has no node '{node}'; {nearest(node, [entry.name for entry in planned.nodes])}")
    files = [entry for entry in match.files if path in (None, entry.path)]
    if not files:
        raise SpecError(f"{node} has no file '{path}'; {nearest(path or '', [entry.path for entry in match.files])}")
    for entry in files:
        print(entry.masked if path else f"==> {entry.path} <==\n{entry.masked}")
