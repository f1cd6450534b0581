"""What is asked of the engine that builds images, for the domains of applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab import engine
from lab.backends.xen.program import Program
from lab.building import base_image, builder, persons
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import docker

    from lab.recipes import Recipe


def beside(api: docker.APIClient, recipes: Sequence[Recipe], report: Callable[[str, str], None]) -> list[Recipe]:
    """The image that is mounted beside applications, for the lab's own commands: the base; built if it is missing."""
    families = {each.family for each in recipes if each.app}
    needed = [recipe("base", family) for family in families]
    with engine.asking("looking for the base image"):
        missing = [base for base in needed if not base_image.present(api, base.tag)]
    if missing:
        builder.build(api, missing, report)
    return needed


def program(api: docker.APIClient, image: str) -> Program:
    """What the image of an application runs, and as whom."""
    with engine.asking(f"looking at {image}"):
        details: dict[str, Any] = api.inspect_image(image)  # type: ignore[no-untyped-call]
        config = details.get("Config") or {}
        return Program.read(config, persons.of_image(api, image, str(config.get("User") or "")))
