"""A node's files, from the templates that lie in its role's folder as they land in the node."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab import assets
from lab.plan.model import File
from lab.recipes import family, manifest
from lab.recipes.templates import environment
from lab.topology.sites import number

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATION = "@@generation@@"

TLS_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"
    ":ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""For TLS 1.2, in OpenSSL's names: Mozilla's intermediate configuration, version 5.7, without finite fields."""


@assets.cached
def _jinja() -> Environment:
    """One environment for all roles, so that what they share is compiled once; its roots are the folders of roles."""
    jinja = environment(*map(str, _roots()))
    jinja.filters["duration"] = lambda seconds: f"{round(float(seconds) * 1000)}ms"
    jinja.filters["identity"] = lambda words: str(uuid.uuid5(uuid.NAMESPACE_DNS, ".".join([*reversed(words), "test"])))
    jinja.filters["site_number"] = number
    jinja.globals["secret"] = lambda name: f"@@secret:{name}@@"
    jinja.globals["generation"] = GENERATION
    jinja.globals["tls_ciphers"] = TLS_CIPHERS
    return jinja


@assets.cached
def _templates(role: str) -> dict[str, str]:
    """The templates of a role by the path at which they land; a role's own shadow those of its parts and the base."""
    by_path = {}
    for folder in map(Path, manifest(role).folders):
        root = next(root for root in _roots() if folder.is_relative_to(root))
        for path in (folder / "rootfs").rglob("*.j2"):
            lands = f"/{path.relative_to(folder / 'rootfs')}".removesuffix(".j2")
            by_path[lands] = path.relative_to(root).as_posix()
    return dict(sorted(by_path.items()))


def _roots() -> list[Path]:
    outside = assets.outside()
    return [assets.images(), *([outside] if outside else [])]


def files(role: str, family_name: str, **context: Any) -> tuple[File, ...]:
    """All files of one node.

    Args:
        role: the node's role.
        family_name: whose paths and users the files speak of.
        context: what the templates see besides the family's software: `plan`, `cluster`, `node`, `options`, `index`.
    """
    software = {key.replace("-", "_"): value for key, value in family(family_name).software.items()}
    rendered = []
    for path, template in _templates(role).items():
        text = _jinja().get_template(template).render(software | context).lstrip("\n")
        # Lets a node see whether it serves this very configuration: a digest of the text itself.
        text = text.replace(GENERATION, hashlib.sha256(text.encode()).hexdigest()[:12])
        file = File(path, text)
        rendered.append(File(file.path, file.text, 0o600) if file.secrets else file)
    return tuple(rendered)
