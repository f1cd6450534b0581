"""`lab build`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli import options


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(build)


@options.common("file", "family", "backend", "host")
def build(
    choice: options.Choice,
    roles: Annotated[list[str] | None, typer.Argument(help="Roles or applications. Default: all.")] = None,
) -> None:
    """Builds missing images, those of a topology's applications included, and prints the names of all."""
    from lab.backends.optional import images
    from lab.cli import screen
    from lab.lifecycle import resolve
    from lab.lifecycle.trial import trial
    from lab.plan import image_recipe
    from lab.recipes import roles as known
    from lab.topology import DEFAULT_FILE, Cluster

    cluster = choice.cluster() if choice.file or DEFAULT_FILE.exists() else Cluster.model_validate({"web": {}})
    target = choice.open(options.DEFAULT_NAME)
    with screen.report() as report:
        cluster = cluster.model_copy(update={"family": choice.family or cluster.family})
        chosen = resolve.family(cluster, target.observe(), target, report)
        cluster = resolve.apps(cluster, target)
        recipes = [image_recipe(cluster, role, chosen) for role in roles or (*known(), *cluster.apps)]
        images(target).build(
            recipes, lambda role, text: report.step(f"image {role}", text), lambda role: trial(role, chosen)
        )
    for entry in recipes:
        print(entry.tag)
