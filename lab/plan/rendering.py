"""A node's files, from the templates that lie in its role's folder as they land in the node."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.plan.model import File
from lab.recipes import family, manifest
from lab.recipes.recipe import environment

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATION = "@@generation@@"


@cache
def _templates(role: str) -> tuple[Environment, tuple[str, ...]]:
    """The template environment of a role and the paths of its templates; a role's own shadow those of its parts."""
    folders = [Path(folder) for folder in reversed(manifest(role).folders)]
    roots = [folder / kind for folder in folders for kind in ("rootfs", "templates")]
    jinja = environment(*(str(root) for root in roots if root.is_dir()))
    jinja.filters["duration"] = lambda seconds: f"{round(float(seconds) * 1000)}ms"
    jinja.globals["secret"] = lambda name: f"@@secret:{name}@@"
    jinja.globals["generation"] = GENERATION
    found = {
        str(path.relative_to(folder / "rootfs")) for folder in folders for path in (folder / "rootfs").rglob("*.j2")
    }
    return jinja, tuple(sorted(found))


def files(role: str, family_name: str, **context: Any) -> tuple[File, ...]:
    """All files of one node.

    Args:
        role: the node's role.
        family_name: whose paths and users the files speak of.
        context: what the templates see besides the family's software: `plan`, `cluster`, `node`, `options`, `index`.
    """
    jinja, names = _templates(role)
    software = {key.replace("-", "_"): value for key, value in family(family_name).software.items()}
    made = []
    for name in names:
        text = jinja.get_template(name).render(software | context).lstrip("\n")
        # Lets a node see whether it serves this very configuration: a digest of the text itself.
        text = text.replace(GENERATION, hashlib.sha256(text.encode()).hexdigest()[:12])
        file = File("/" + name.removesuffix(".j2"), text)
        made.append(File(file.path, file.text, 0o600) if file.secrets else file)
    return tuple(made)
