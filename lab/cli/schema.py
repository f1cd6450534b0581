"""`lab schema`."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(schema)


def schema() -> None:
    """Prints the JSON Schema of cluster.yaml, for an editor."""
    from lab.spec import schema as make

    print(make())
