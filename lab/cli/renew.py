"""`lab renew`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import naming, options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(renew)


@options.common(*options.WHERE)
def renew(
    choice: options.Choice,
    ca: Annotated[
        bool,
        typer.Option("--ca", help="Also replace the CA. Clients that trust the old one have to trust the new one."),
    ] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds until a node must be ready.")] = 120,
) -> None:
    """Issues new certificates while the cluster serves, and applies all other changes of the topology, as 'up' does.

    'up' renews certificates by itself a month before they end.
    """
    from lab.cli import screen
    from lab.cli.locked import locked
    from lab.lifecycle.renew import renew as issue_again

    with screen.report() as report, locked(choice, "lab renew", report) as (cluster, target):
        issue_again(cluster, target, report, ca=ca, seconds=timeout)
    print(naming.named("the certificates are new" + ("; 'lab open --ca' prints the CA to trust" if ca else "")))
