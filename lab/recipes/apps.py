"""Applications as roles: each has the manifest of all of them, under its own name, and an image made from its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from lab import assets, reading
from lab.errors import SpecError
from lab.names import LABEL, NAMESPACE
from lab.recipes.declared import Declaration, Fragment
from lab.recipes.family import family
from lab.recipes.person import ROOT
from lab.recipes.recipe import Recipe, recipe, rootfs
from lab.recipes.templates import environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.backends.optional import ImageFacts
    from lab.recipes.declared import DeclaredPromise
    from lab.recipes.person import Person

DOCUMENT = reading.Document("declaration of applications", "like: ...\nfragment: ...", "see images/apps")
ALLOWED = frozenset(f"{LABEL}.{key}" for key in ("role", "family", "app"))
"""Labels of the lab's own images, which may be the parents of others."""

UNKNOWN = "unknown"
"""In the place of an image that no engine was asked for."""


class Like(Declaration):
    """The role whose promises hold for applications: those that begin with a word, which is replaced by the name."""

    role: str
    promises: str
    noun: str


class Declared(Declaration):
    """What `images/apps/app.yaml` holds."""

    like: Like
    fragment: Fragment


def folder() -> Path:
    """Where all that an application gets lies."""
    return assets.images() / "apps"


@assets.cached
def declared() -> Declared:
    """What every application is."""
    path = folder() / "app.yaml"
    return reading.model(Declared, reading.text(path, DOCUMENT), DOCUMENT, str(path))


def promises(name: str, of: dict[str, DeclaredPromise]) -> dict[str, DeclaredPromise]:
    """The promises of an application: those of web nodes by the same formulas, under its own name.

    Args:
        name: the application's.
        of: all promises of the role that it is like.
    """
    like = declared().like
    own = {}
    for key, promise in of.items():
        if key.startswith(like.promises):
            event = promise.event.replace(f"a {like.noun}", f"a node of {name}")
            own[name + key.removeprefix(like.promises)] = promise.model_copy(update={"event": event})
    return own


def app_recipe(  # noqa: PLR0913, PLR0917
    name: str, family_name: str, parent: str, source: str = "", port: int = 0, writable: Sequence[str] = ()
) -> Recipe:
    """The image of an application, which is named by that which it is made from.

    Args:
        name: the application's.
        family_name: that of the cluster, by whose packages it gets tools.
        parent: the user's image.
        source: the folder that this one is built from, if it is.
        port: that it listens on.
        writable: the folders that it may write.
    """
    draft = Recipe(
        f"app-{name}", family_name, parent, "", rootfs(folder()), source, port, app=True, writable=tuple(writable)
    )
    return complete(draft, ())


def admit_app(name: str, port: int, image: ImageFacts) -> None:
    """Refuses an image that can't be this application.

    Args:
        name: the application's.
        port: that the topology says.
        image: what is known of the image.

    Raises:
        SpecError: it declares other ports, runs nothing, or has labels by which the lab knows its own nodes.
    """
    if taken := [label for label in image.labels if label.startswith(f"{LABEL}.") and label not in ALLOWED]:
        raise SpecError(
            f"the image of '{name}' has the label '{taken[0]}': by such labels the lab knows its own containers",
            where=f"apps.{name}.image",
            next_step="remove this LABEL from its Dockerfile",
        )
    if image.ports and port not in image.ports:
        raise SpecError(
            f"the image of '{name}' listens on {', '.join(map(str, image.ports))}, as it declares, and not on {port}",
            where=f"apps.{name}.port",
            next_step="write the port that it declares, or EXPOSE the other one in its Dockerfile",
        )
    if not image.argv:
        raise SpecError(
            f"the image of '{name}' runs nothing: it has neither ENTRYPOINT nor CMD",
            where=f"apps.{name}.image",
            next_step='write what it runs into its Dockerfile: CMD ["/usr/bin/program"]',
        )


def complete(app: Recipe, argv: Sequence[str], user: str = "", person: Person = ROOT) -> Recipe:
    """The recipe with what its parent runs, and as whom, known by now."""
    return replace(app, dockerfile=_dockerfile(app, argv, user, person))


def source(name: str, digest: str) -> str:
    """The full name of what is built from the user's folder."""
    return f"{NAMESPACE}/app-{name}:source-{digest}"


def _dockerfile(app: Recipe, argv: Sequence[str], user: str, person: Person) -> str:
    table = family(app.family)
    tools = table.software["tools"]
    return (
        environment(str(assets.images()))
        .get_template("apps/Dockerfile.j2")
        .render(
            base=recipe("base", app.family).tag,
            install=table.install_command(tools.packages),
            busybox=tools.binaries["busybox"],
            parent=app.parent,
            label=LABEL,
            role=app.role.removeprefix("app-"),
            family=app.family,
            argv=json.dumps(list(argv)),
            folders=json.dumps(["/usr/lib/lab/folders", f"{person.user}:{person.group}", *app.writable]),
            user=user,
        )
    )


__all__ = ["UNKNOWN", "app_recipe", "complete", "declared", "folder", "promises", "source"]
