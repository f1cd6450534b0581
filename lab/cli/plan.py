"""`lab plan`."""

from __future__ import annotations

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(plan)


@options.common(*options.COMMON)
def plan(
    choice: options.Choice,
) -> None:
    """Shows what 'up' would do to each node, and why. Changes nothing."""
    from lab.cli import screen, tables
    from lab.lifecycle.prepare import prepare

    cluster = choice.cluster()
    with screen.report() as report:
        prepared = prepare(cluster, choice.open(cluster.name), report)
    tables.actions(prepared.actions)
    if not prepared.changes:
        print("nothing to change")
