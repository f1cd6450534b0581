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
from lab.recipes.recipe import Recipe, environment, recipe, rootfs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lab.recipes.declared import DeclaredPromise

DOCUMENT = reading.Document("declaration of applications", "like: ...\nfragment: ...", "see images/apps")
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
    found = {}
    for key, promise in of.items():
        if key.startswith(like.promises):
            event = promise.event.replace(f"a {like.noun}", f"a node of {name}")
            found[name + key.removeprefix(like.promises)] = promise.model_copy(update={"event": event})
    return found


def app_recipe(name: str, family_name: str, parent: str, source: str = "", port: int = 0) -> Recipe:
    """The image of an application, which is named by that which it is made from.

    Args:
        name: the application's.
        family_name: that of the cluster, by whose packages it gets tools.
        parent: the user's image.
        source: the folder that this one is built from, if it is.
        port: that it listens on.
    """
    text = _dockerfile(name, family_name, parent, ())
    return Recipe(f"app-{name}", family_name, parent, text, rootfs(folder()), source, port, app=True)


def admit_app(name: str, port: int, ports: Sequence[int], argv: Sequence[str]) -> None:
    """Refuses an image that can't be this application.

    Args:
        name: the application's.
        port: that the topology says.
        ports: those that the image declares; none where it declares none.
        argv: what it runs.

    Raises:
        SpecError: it declares other ports, or runs nothing.
    """
    if ports and port not in ports:
        raise SpecError(
            f"the image of '{name}' listens on {', '.join(map(str, ports))}, as it declares, and not on {port}",
            where=f"apps.{name}.port",
            next_step="write the port that it declares, or EXPOSE the other one in its Dockerfile",
        )
    if not argv:
        raise SpecError(
            f"the image of '{name}' runs nothing: it has neither ENTRYPOINT nor CMD",
            where=f"apps.{name}.image",
            next_step='write what it runs into its Dockerfile: CMD ["/usr/bin/program"]',
        )


def complete(wanted: Recipe, argv: Sequence[str]) -> Recipe:
    """The recipe with what its parent runs, known by now."""
    name = wanted.role.removeprefix("app-")
    text = _dockerfile(name, wanted.family, wanted.parent, argv)
    return replace(wanted, dockerfile=text)


def source(name: str, digest: str) -> str:
    """The full name of what is built from the user's folder."""
    return f"{NAMESPACE}/app-{name}:source-{digest}"


def _dockerfile(name: str, family_name: str, parent: str, argv: Sequence[str]) -> str:
    table = family(family_name)
    tools = table.software["tools"]
    return (
        environment(str(assets.images()))
        .get_template("apps/Dockerfile.j2")
        .render(
            base=recipe("base", family_name).tag,
            install=table.install_command(tools.packages),
            busybox=tools.binaries["busybox"],
            parent=parent,
            label=LABEL,
            role=name,
            family=family_name,
            argv=json.dumps(list(argv)),
        )
    )


__all__ = ["UNKNOWN", "app_recipe", "complete", "declared", "folder", "promises", "source"]
