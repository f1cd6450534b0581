"""`lab build`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(build)


@options.common("family", "backend", "host")
def build(
    choice: options.Choice,
    roles: Annotated[list[str] | None, typer.Argument(help="The roles. Default: all.")] = None,
) -> None:
    """Builds missing images, and prints the names of all."""
    from lab.backends.optional import images
    from lab.cli import screen
    from lab.lifecycle import resolve
    from lab.lifecycle.trial import trial
    from lab.recipes import recipe
    from lab.recipes import roles as known
    from lab.topology import Cluster

    target = choice.open(options.DEFAULT_NAME)
    with screen.report() as report:
        cluster = Cluster.model_validate({"web": {}, "family": choice.family or "auto"})
        chosen = resolve.family(cluster, target.observe(), target, report)
        recipes = [recipe(role, chosen) for role in roles or known()]
        images(target).build(
            recipes, lambda role, text: report.step(f"image {role}", text), lambda role: trial(role, chosen)
        )
    for entry in recipes:
        print(entry.tag)
