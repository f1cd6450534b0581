"""`lab build`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(build)


def build(
    roles: Annotated[list[str] | None, typer.Argument(help="The roles. Default: all.")] = None,
    family: options.FamilyName = None,
    backend: options.BackendName = None,
    host: options.Host = None,
) -> None:
    """Builds missing images, and prints the names of all."""
    from lab.backends import backend as make
    from lab.cli import screen
    from lab.lifecycle import resolve
    from lab.lifecycle.trial import trial
    from lab.recipes import recipe
    from lab.recipes import roles as known
    from lab.topology import Cluster

    target = make(options.place(None, backend, host), options.DEFAULT_NAME)
    with screen.report() as report:
        asked = Cluster.model_validate({"web": {}, "family": family or "auto"})
        chosen = resolve.family(asked, target.observe(), target, report)
        wanted = [recipe(role, chosen) for role in roles or known()]
        target.build(wanted, lambda role, text: report.step(f"image {role}", text), lambda role: trial(role, chosen))
    for entry in wanted:
        print(entry.tag)
