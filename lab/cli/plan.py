"""`lab plan`."""

from __future__ import annotations

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(plan)


def plan(
    file: options.File = None,
    name: options.Name = None,
    family: options.FamilyName = None,
    scale: options.Scale = None,
    port: options.Port = None,
    backend: options.BackendName = None,
    host: options.Host = None,
) -> None:
    """Shows what 'up' would do to each node, and why. Changes nothing."""
    from lab.backends import backend as make
    from lab.cli import screen, tables
    from lab.lifecycle.prepare import prepare

    cluster = options.cluster(file, name, family, scale, port)
    with screen.report() as report:
        prepared = prepare(cluster, make(options.place(file, backend, host, name), cluster.name), report)
    tables.actions(prepared.actions)
    if not prepared.changes:
        print("nothing to change")
