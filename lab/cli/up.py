"""`lab up`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(up)


@options.common(*options.COMMON)
def up(
    choice: options.Choice,
    wait: Annotated[bool, typer.Option(help="Wait until every node is ready and the cluster's promises hold.")] = True,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds until a node must be ready.")] = 120,
) -> None:
    """Creates the cluster, or changes it to match the topology. Nodes that did not change are kept."""
    from lab.cli import screen, tables
    from lab.cli.locked import locked
    from lab.lifecycle.status import status
    from lab.lifecycle.up import up as bring_up
    from lab.services import sites
    from lab.topology import DEFAULT_FILE

    again = choice.topology() if choice.last else None
    with screen.report() as report, locked(choice, "lab up", report) as (cluster, target):
        folders = sites.folders(cluster)
        if again and again != DEFAULT_FILE:
            report.say(f"topology: {cluster.source} (the cluster was made from it; -f chooses another)")
        prepared = bring_up(cluster, target, report, wait=wait, seconds=timeout)
        brought = sites.ensure(target, cluster, folders) if wait else []
    for site, deployed in brought:
        print(f"{site}: release {deployed.release}, {deployed.files} files")
    tables.summary(prepared.changes)
    awaited = {node.name for node in prepared.plan.nodes if not node.by_hand}
    tables.status(status(target, awaited if wait else ()))
