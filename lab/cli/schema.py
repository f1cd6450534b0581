"""`lab schema`."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(schema)


def schema() -> None:
    """Prints the JSON Schema of cluster.yaml, including roles in the folder 'roles' here."""
    from pathlib import Path

    from lab import assets
    from lab.topology import ROLES
    from lab.topology import schema as make

    assets.use_roles(Path(ROLES))
    print(make())
